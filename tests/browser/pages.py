"""The pages that tests open in a browser, of a log with the runs of `tests.cli.stories`."""

PAGES = {
    "list": "/",
    "filtered": "/?status=failed&since=7d",
    "empty": "/?model=none",
    "search": "/?q=line",
    "run": "/run/run-done",
    "earlier": "/run/run-done?seq=4",
    "verified": "/run/run-done?verify=1",
    "failed": "/run/run-failed",
    "open": "/run/open-run",
    "compare": "/diff",
    "diff": "/diff?a=run-done&b=run-failed",
    "usage": "/usage",
    "log": "/log",
}
# Pages that say what is wrong, by the status.
PROBLEMS = {404: "/run/none", 400: "/?colour=red"}
