"""The modules of scripts that pages load."""

MODULES = ("run_page.js", "run_rows.js", "visible.js")
