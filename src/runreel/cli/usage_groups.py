"""The groups of ``runreel usage --by``, apart from labels."""

TIME_GROUPS = ("day", "week", "month")
GROUPS = (*TIME_GROUPS, "assistant", "thread", "model", "source", "status")
