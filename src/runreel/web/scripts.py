"""The modules of scripts that pages load, each after those that it imports."""

MODULES = (
    "visible.js",
    "dom.js",
    "run_rows.js",
    "run_scale.js",
    "run_pixels.js",
    "run_small.js",
    "run_drawing.js",
    "run_timeline.js",
    "run_marks.js",
    "run_place.js",
    "run_keys.js",
    "run_shown.js",
    "run_player.js",
    "run_events.js",
    "run_page.js",
)
