"""The style sheet of exported pages: light and dark, down to the width of a phone."""

STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --soft: #59636e; --line: #d1d9e0;
  --fill: #f6f8fa; --bad: #b3261e; --good: #1a7f37; --request: #0969da; --tool: #9a6700; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --soft: #9198a1; --line: #3d444d; --fill: #161b22;
    --bad: #ff8b82; --good: #3fb950; --request: #4493f8; --tool: #d29922; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 60rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1, h2, h3 { line-height: 1.25; overflow-wrap: anywhere; }
h1 { display: inline; font-size: 1.2rem; }
h2 { font-size: 1.1rem; margin: 1.5rem 0 .5rem; }
h3 { font-size: 1rem; margin: 0 0 .25rem; }
small, dt, footer, .label, li > p { color: var(--soft); font-weight: normal; }
details.run { border-bottom: 1px solid var(--line); padding: .75rem 0; }
summary { cursor: pointer; }
.bad { color: var(--bad); } .bad::before { content: "\\2717\\a0"; }
.good { color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem 1rem; }
dd { margin: 0; overflow-wrap: anywhere; }
pre { margin: .25rem 0; padding: .5rem .75rem; background: var(--fill); border-radius: .25rem;
  font: .9rem/1.45 ui-monospace, monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.label { margin: .5rem 0 0; font-size: .9rem; overflow-wrap: anywhere; }
.story { list-style: none; margin: 0; padding: 0; }
.story li { border-left: .25rem solid var(--line); margin: 0 0 1rem; padding-left: .75rem; }
.story .request { border-color: var(--request); } .story .text { border-color: var(--ink); }
.story .tool_call { border-color: var(--tool); } .story .error { border-color: var(--bad); }
.story .reasoning pre { color: var(--soft); }
.timing { width: 100%; border-collapse: collapse; font-size: .9rem; }
.timing th { text-align: left; font-weight: normal; color: var(--soft); }
.timing th, .timing td { padding: .1rem .75rem .1rem 0; overflow-wrap: anywhere; }
.timing td:last-child { width: 45%; padding-right: 0; }
svg { display: block; width: 100%; height: .8rem; background: var(--fill); }
rect { fill: var(--soft); } .stream { fill: var(--good); } .tool { fill: var(--tool); }
rect.request, .first_text { fill: var(--request); } .idle { fill: var(--bad); }
@media (max-width: 40rem) {
  body { padding: .5rem; } dl { gap: .1rem .6rem; }
  .timing td:last-child, .timing td:last-child svg { width: 20vw; }
}
@media print { details.run { break-inside: avoid; } }
"""
