"""An agent of langgraph on langchain-openai, as their documentation has it; no line of runreel."""

from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.prebuilt import create_react_agent


@tool
def weather(city: str) -> str:
    """The weather in a city."""
    return f"Sunny in {city}"


def ask(question: str) -> dict:
    """The state of the agent before a run."""
    return {"messages": [{"role": "user", "content": question}]}


def main(model: ChatOpenAI) -> None:
    """Run the agent at once, and then streamed."""
    agent = create_react_agent(model, [weather])
    result = agent.invoke(ask("finished: What is the weather in Berlin?"))
    print(result["messages"][-1].text)
    streamed = agent.stream(ask("streamed: What is the weather in Berlin?"), stream_mode="messages")
    print("".join(message.text for message, _ in streamed if message.type != "tool"))


for responses_api in (True, False):
    main(ChatOpenAI(model="test-model", use_responses_api=responses_api))
