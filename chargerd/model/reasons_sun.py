"""Reasons of sun: those of chargers for cars and of consumers of surplus, for the table of `model.reasons`.

Each code has its sentence, the word for the state, what a person can do, and the sentence about a past moment.
"""

from __future__ import annotations

LINES: dict[str, tuple[str, str, str, str]] = {
    # policies surplus, fixed
    "no-vehicle": ("no vehicle is connected", "idle", "", "no vehicle was connected"),
    "charging-slow": ("charging slowly, {current_a} A", "charging", "", "it was charging slowly, {current_a} A"),
    "charging-fast": ("charging fast, {current_a} A", "charging", "", "it was charging fast, {current_a} A"),
    "charging-with-sun": (
        "charging with the sun: {share_w:to use}",
        "charging",
        "",
        "it was charging with the sun, {share_w:to use then}",
    ),
    "charging-least": (
        "charging at the smallest current; the sun gives {share_w} of it",
        "charging",
        "",
        "it was charging at the smallest current, and the sun gave {share_w} of it",
    ),
    "carried-over": (
        "sun for {share_w} only; carried over, {borrowed_wh} of {borrow_wh} borrowed",
        "charging",
        "to borrow more or less: chargerctl set {loadpoint} borrow_wh=…",
        "there was sun for {share_w} only, and it was carried over with {borrowed_wh} of {borrow_wh} borrowed",
    ),
    "cloudy": (
        "clouds: the sun jumps about, so no more than {power_w} is taken until it is steady",
        "charging",
        "",
        "the sun jumped about, so no more than {power_w} was taken",
    ),
    "settling": (
        "waiting for the last change to show in the readings; {share_w:to use}",
        "charging",
        "",
        "the last change was yet to show in the readings",
    ),
    "more-phases": (
        "going up to more phases: {share_w:to use}",
        "charging",
        "",
        "it went up to more phases, with {share_w:to use then}",
    ),
    "fewer-phases": (
        "going down to one phase: {share_w:to use}",
        "charging",
        "",
        "it went down to one phase, with {share_w:to use then}",
    ),
    "changing-phases": (
        "changing to {phases:phase}: a pause, the switch, and on again",
        "charging",
        "",
        "it was changing to {phases:phase}",
    ),
    "sun-gone": (
        "paused: {borrowed_wh} were borrowed and the sun gives {share_w}",
        "waiting",
        "to charge all the same: chargerctl mode {loadpoint} fast",
        "{borrowed_wh} had been borrowed and the sun gave {share_w}",
    ),
    "waiting-for-sun": (
        "waiting for sun: {share_w:to use}, {needed_w} needed",
        "waiting",
        "to charge all the same: chargerctl mode {loadpoint} fast",
        "there was {share_w:of sun to use then} and {needed_w} were needed",
    ),
    "sun-enough": (
        "sun enough for {for_s}; begins after {delay_s} of it",
        "waiting",
        "",
        "there had been sun enough for {for_s}, and it begins after {delay_s} of it",
    ),
    "sun-on-average": (
        "sun enough now ({share_w}), but {mean_w} on average over {over_s}; {needed_w} needed",
        "waiting",
        "",
        "there was {mean_w} of sun on average over {over_s}, and {needed_w} were needed",
    ),
    "sun-unknown": (
        "paused: {meter} is not read, so nobody knows what the sun leaves over",
        "waiting",
        "chargerctl device list; to charge all the same: chargerctl mode {loadpoint} fast",
        "{meter} was not read, so nobody knew what the sun left over",
    ),
    "least-without-meter": (
        "charging at the smallest current: {meter} is not read",
        "charging",
        "chargerctl device list",
        "it was charging at the smallest current because {meter} was not read",
    ),
    "house-battery-first": (
        "the house battery comes first: {soc_pct}, charging with sun here from {min_pct} on",
        "waiting",
        "chargerctl set {loadpoint} min_storage_pct=…",
        "the house battery came first: {soc_pct}, with sun here from {min_pct} on",
    ),
    "waiting-for-other": ("waiting for {other}", "waiting", "", "it was waiting for {other}"),
    # policy consumer
    "switched-on": ("on because somebody wants it so", "charging", "", "somebody wanted it on"),
    "running-with-sun": (
        "on with the sun: {share_w:to use}",
        "charging",
        "",
        "it was on with the sun, {share_w:to use then}",
    ),
    "running-on-storage": (
        "on with the sun and the full house battery: {share_w:to use}, {soc_pct}",
        "charging",
        "",
        "it was on with the sun and the full house battery, {share_w:to use then}, {soc_pct}",
    ),
    "in-its-hours": ("on in its hours", "charging", "", "it was in its hours"),
    "other-charges-fast": ("off while {other} charges fast", "waiting", "", "{other} was charging fast"),
    "consumer-sated": (
        "takes nothing more: switched off until its next hours",
        "finished",
        "",
        "it took nothing more",
    ),
    # limits
    "circuit-limit": (
        "the fuse {circuit} leaves {allowed_a} A",
        "charging",
        "",
        "the fuse {circuit} left {allowed_a} A",
    ),
    "circuit-blind": (
        "the meter of {circuit} is not read: no more than the guaranteed {allowed_a} A",
        "charging",
        "chargerctl device list",
        "the meter of {circuit} was not read, and {allowed_a} A are guaranteed",
    ),
    "never-fits": (
        "never fits: it needs at least {least_a} A, and the fuse {circuit} bears {allowed_a} A",
        "fault",
        "lower its least current, if it can do with less: chargerctl set {loadpoint} min_current_a=…",
        "it needed at least {least_a} A, and the fuse {circuit} bore {allowed_a} A",
    ),
    "never-fits-power": (
        "never fits: it needs at least {least_w}, and {circuit} allows {limit_w}",
        "fault",
        "lower its least current, if it can do with less: chargerctl set {loadpoint} min_current_a=…",
        "it needed at least {least_w}, and {circuit} allowed {limit_w}",
    ),
    "phases-rest": (
        "phases stay as they are until {again_at_ms}; they were changed {changes:time} in the last day",
        "charging",
        "chargerctl set {loadpoint} phase_pause_s=… or max_switches_per_day=…",
        "phases were kept as they were; they had been changed {changes:time} in a day",
    ),
    "raise-ignored": (
        "told to offer {told_a} A, {tries:time}, and the charger stays at {current_a} A",
        "charging",
        "look for a limit in the charger's own settings; to try again: chargerctl mode {loadpoint} {mode}",
        "the charger was told to offer {told_a} A, {tries:time}, and stayed at {current_a} A",
    ),
    "ramping": ("going up in steps, {allowed_a} A now", "charging", "", "it was going up in steps, at {allowed_a} A"),
    "house-battery-spared": (
        "paused: the house battery gave more than {limit_w} for charging",
        "waiting",
        "",
        "the house battery had given more than {limit_w} for charging",
    ),
    "vehicle-sated": (
        "the vehicle takes nothing after {tries:try}: full, or it does not want to",
        "finished",
        "look at the vehicle; to try again: chargerctl mode {loadpoint} fast",
        "the vehicle took nothing after {tries:try}",
    ),
    "not-drawing": (
        "offered {current_a} A, and the vehicle takes nothing",
        "waiting",
        "",
        "{current_a} A were offered, and the vehicle took nothing",
    ),
    "waking": ("offered anew, try {attempt} of {attempts}", "waiting", "", "it was being offered anew"),
    "charging-unasked": (
        "paused, and current flows all the same; told {attempts:time}",
        "fault",
        "stop it at the charger or the vehicle; chargerctl device read {device}",
        "it was paused, and current flowed all the same",
    ),
    "charger-fault": (
        "the charger reports a fault: {status}",
        "fault",
        "look at the charger; it goes on by itself when the fault is gone",
        "the charger reported a fault: {status}",
    ),
    "charger-holds": (
        "told to charge, and the charger itself keeps the vehicle from it: {status}",
        "waiting",
        "look at the charger: too hot, without its card, or led by something else; it goes on by itself",
        "the charger itself kept the vehicle from charging: {status}",
    ),
    "begun-elsewhere": (
        "begun at the charger or the vehicle; goes on slowly if current flows",
        "charging",
        "",
        "it had been begun at the charger or the vehicle",
    ),
    # ways in which a session ends
    "disconnected": ("the vehicle was disconnected", "idle", "", "the vehicle had been disconnected"),
}

OUTCOMES = {"disconnected": "disconnected", "full-or-refused": "took nothing more"}
