"""Every setting, declared once: name, default, help, range.

Not covered: what a setting is (`setting`), where a value comes from (`load`), providers and tasks, which live in the
file alone (`providers`, `load`).
"""

from __future__ import annotations

from freehold.settings.setting import Setting, unknown

SETTINGS: tuple[Setting, ...] = (
    Setting("", "state", ".freehold", "Folder that holds the record, datasets, models and reports."),
    Setting("", "database_url", "", "Database of the record; empty means SQLite inside the state folder."),
    Setting("gateway", "host", "127.0.0.1", "Address to listen on; anything but loopback needs a gateway key."),
    Setting("gateway", "port", 8700, "Port to listen on; 0 takes any free one.", most=65535),
    Setting(
        "gateway", "max_body_mb", 64.0, "Largest request body, in MiB; larger ones are answered with 413.", 0.001, 4096
    ),
    Setting("gateway", "connect_timeout_s", 10.0, "Seconds to wait for a connection to a provider."),
    Setting("gateway", "first_byte_timeout_s", 600.0, "Seconds until a provider's response begins; 0: no limit."),
    Setting("gateway", "idle_timeout_s", 600.0, "Seconds without a byte from a provider before giving up."),
    Setting("gateway", "total_timeout_s", 0.0, "Seconds for a provider's whole response; 0: no limit."),
    Setting("gateway", "client_timeout_s", 60.0, "Seconds that a client may stand still, sending or reading.", 0.1),
    Setting("gateway", "max_connections", 20000, "Most connections of clients to one worker.", 1),
    Setting("gateway", "workers", 1, "Processes that serve calls, side by side on one port.", 1, 64),
    Setting("gateway", "grace_s", 30.0, "Longest wait for calls under way when the gateway is stopped."),
    Setting(
        "gateway",
        "durability",
        "process",
        "What a recorded call survives: the end of a process, or a power cut, too (slower).",
        choices=("process", "power"),
    ),
    Setting("gateway", "record_wait_s", 5.0, "Longest hold of a response while its call is being written."),
    Setting("gateway", "require_key", False, "Ask callers on loopback for a gateway key, too; elsewhere always."),
    Setting(
        "gateway",
        "add_usage",
        True,
        "Ask streams for token usage where the client did not and the provider tells none by itself; stripped again.",
    ),
    Setting(
        "gateway",
        "allowed_origins",
        "",
        "Origins whose web pages may call the gateway, like https://app.example, with commas between; none by default.",
    ),
    Setting(
        "gateway",
        "allowed_hosts",
        "",
        "Names by which the gateway may be asked for, beside loopback and gateway.host, with commas between.",
    ),
    Setting(
        "gateway",
        "access_log",
        "errors",
        "Calls that get a line of JSON on stderr: off, errors, all.",
        choices=("off", "errors", "all"),
    ),
    Setting(
        "gateway",
        "assumed_output_tokens",
        4096,
        "Output tokens that are reserved for a call of a key with budgets where the call names no limit itself.",
        1,
        10_000_000,
    ),
    Setting("gateway", "tracing", False, "Send an OpenTelemetry span per call; also on when OTEL_* says where to."),
    Setting("gateway", "trace_content", False, "Put the messages of both sides into the spans."),
    Setting("record", "keep_days", 0.0, "Days after which the bodies of calls are deleted; 0 keeps them for ever."),
    Setting(
        "record",
        "keep_rows_days",
        0.0,
        "Days after which calls are deleted whole, but for those that datasets, people's words and moved tasks need; 0:"
        " never.",
    ),
    Setting(
        "record",
        "delivery_share",
        0.35,
        "Most of the machine's CPU time, as a share, that bringing calls from the journal to the database may take.",
        0.01,
        1,
    ),
    Setting(
        "record", "sort_s", 5.0, "CPU seconds that sorting a call may take; one that takes more is set aside.", 0.1
    ),
    Setting("record", "lag_s", 10.0, "Seconds that a call may wait in the journal before the log says so.", 0.1),
    Setting(
        "freeze", "proof_share", 0.2, "Share of the answered calls, the newest, that is kept for the proof.", most=1
    ),
    Setting("freeze", "proof_max", 1000, "Most calls in the proof split.", least=1),
    Setting(
        "freeze",
        "dev_share",
        0.1,
        "Share of the answered calls, before the proof's, that tunes the confidence.",
        most=1,
    ),
    Setting("freeze", "dev_max", 400, "Most calls in the dev split.", least=1),
    Setting("freeze", "near_duplicate", 0.9, "Similarity (Jaccard) from which two inputs are near duplicates.", most=1),
    Setting(
        "freeze",
        "prompt_steps",
        "strip",
        "What is done to a request before an owned model sees it, in order: strip, then steps of packages.",
    ),
    Setting(
        "freeze",
        "prompts",
        "auto",
        "Which versions of an edited prompt a dataset has; auto: all, or the newest where that asks for other fields.",
        choices=("auto", "all", "newest"),
    ),
    Setting("train", "base", "smollm2-135m", "Base to train from: a name that `freehold pull` knows, or a path."),
    Setting("train", "student", "generator", "What is trained to answer a task: generator, or a package's."),
    Setting("train", "trainer", "lora", "Trainer that a model is made by: lora, or a package's."),
    Setting(
        "train", "minutes", 40.0, "Longest training time, in minutes; the schedule fits itself to it. 0: no limit."
    ),
    Setting("train", "epochs", 0.0, "Most passes over the training split; 0 lets the recipe choose."),
    Setting("train", "batch_size", 0, "Examples that one step learns from; 0 lets the recipe choose.", most=4096),
    Setting("train", "learning_rate", 0.001, "Learning rate of the adapter at its highest.", 1e-7, 1),
    Setting("train", "layers", 0, "Uppermost layers that are trained; fewer are faster. 0: all of them.", most=1000),
    Setting("train", "seed", 0, "Seed of the order of examples and of the adapter."),
    Setting("serve", "engine", "llamacpp", "Engine that serves owned models: llamacpp, or a package's."),
    Setting("serve", "threads", 0, "Threads of an engine; 0 means half of the cores."),
    Setting("serve", "slots", 8, "Answers that an engine works on at once.", 1, 256),
    Setting("prove", "margin", 0.02, "How much worse, in score per call, a full replacement may be.", most=1),
    Setting("prove", "alpha", 0.05, "Chance that a model worse than the margin is certified all the same.", 1e-6, 0.5),
    Setting("prove", "risk", 0.05, "Most calls, as a share, that a cascade may answer locally and wrongly.", most=1),
    Setting(
        "prove",
        "contract",
        "A",
        "What the risk bounds: A, calls answered locally and wrongly; B, wrong ones among those answered locally.",
        choices=("A", "B"),
    ),
    Setting(
        "prove",
        "slice_risk",
        0.0,
        "Most calls of a slice, as a share, that may be so answered; 0: twice the risk.",
        most=1,
    ),
    Setting("prove", "delta", 0.10, "Chance that the cascade's risk bound does not hold.", 1e-6, 0.5),
    Setting(
        "prove", "min_coverage", 0.10, "Least share of calls that a cascade must take over to be worth it.", most=1
    ),
    Setting(
        "prove",
        "metrics",
        "exact",
        "What answers are judged by, all of which must pass: exact, graded, valid, fields:NAME, length,"
        " FILE.py:FUNCTION, or a package's scorer.",
    ),
    Setting(
        "prove",
        "undertrained",
        False,
        "Prove a model whose training was cut short, too; otherwise its proof is refused before it costs an attempt.",
    ),
    Setting("prove", "fresh", False, "Leave out held-out calls that an earlier proof of the task looked at."),
    Setting("prove", "seed", 0, "Seed of the order in which calls enter the proof."),
    Setting("prove", "judge", "", "Model that compares both sides' answers: MODEL, or PROVIDER:MODEL; empty: none."),
    Setting("prove", "judge_calls", 0, "Most pairs that the judge compares, each twice; 0: one of every user."),
    Setting("prove", "labels", 0, "Pairs that the test of labels is planned for; 0: every user's, for text 300."),
    Setting("prove", "least_labels", 200, "People's labels below which a judge's scores decide nothing.", 50),
    Setting("route", "audit_rate", 0.05, "Share of locally answered calls that the provider is asked too.", most=1),
    Setting(
        "route",
        "slack_ms",
        300.0,
        "Milliseconds that a moved task's call may take beyond the provider's 99th percentile.",
        0,
    ),
    Setting("route", "engine_timeout_s", 10.0, "Longest wait for the owned model, whatever route.slack_ms allows."),
    Setting("route", "harm", 0.02, "Most excess failures per call, on average, while a canary is ramped.", 1e-4, 1),
    Setting("route", "shadow_rate", 1.0, "Share of the provider's answers that a canary or shadow compares.", most=1),
    Setting("route", "background_asks", 64, "Most audits, and most shadows, under way at once in a worker.", 1, 10_000),
    Setting(
        "receipts",
        "heads",
        "",
        "File elsewhere that keeps the heads of the receipts' chain, too, which `receipts verify` holds it against.",
    ),
    Setting("watch", "patience", 73_000.0, "Audits until a good model is taken back once by mistake, at least.", 100),
    Setting("watch", "audit_wait_s", 60.0, "Longest wait for an audit or a shadow before it counts as missing.", 0),
    Setting("watch", "alarms", "log", "Alarms when a route changes by itself or delivery lags: log, webhook."),
    Setting(
        "watch", "webhook_env", "ALARM_WEBHOOK_URL", "Environment variable that holds the URL of the alarm webhook."
    ),
    Setting("watch", "every_s", 0.5, "Seconds between two looks at what moved routes answered.", 0.01, 3600),
    Setting("watch", "settle_s", 1.0, "Age from which calls are looked at; younger ones may not be in the record.", 0),
    Setting(
        "watch",
        "invalid_share",
        0.02,
        "Tolerated share of unreadable owned answers, if not the proof's.",
        1e-4,
        1,
    ),
    Setting(
        "watch", "refusal_share", 0.01, "Tolerated share of refusals among owned answers, if not the proof's.", 1e-4, 1
    ),
    Setting("watch", "slow_share", 0.1, "Share of owned answers that may be slow.", 1e-4, 0.99),
    Setting("watch", "slow_ms", 0.0, "Milliseconds from which an owned answer is slow; 0: watch.slow_factor decides."),
    Setting("watch", "slow_factor", 3.0, "An owned answer is slow from so many times the proof's 95th percentile.", 1),
    Setting(
        "watch",
        "call_patience",
        10_000_000.0,
        "Local answers between two false alarms, for detectors that see every answer.",
        100,
    ),
    Setting("watch", "unhappy_share", 0.05, "Share of local answers, rated or not, that may be rated bad.", 1e-4, 0.99),
    Setting("watch", "feedback_wait_s", 86_400.0, "Seconds within which ratings of an answer count.", 0),
    Setting("watch", "probe_patience", 36_500.0, "Probes until an unchanged provider is called changed once.", 100),
    Setting("watch", "valid_days", 90.0, "Days after which a verdict's evidence is stale; 0: never."),
)

TASK_SETTINGS = (
    "base",
    "student",
    "trainer",
    "minutes",
    "epochs",
    "batch_size",
    "learning_rate",
    "layers",
    "margin",
    "alpha",
    "risk",
    "contract",
    "slice_risk",
    "delta",
    "min_coverage",
    "judge",
    "judge_calls",
    "labels",
    "least_labels",
    "metrics",
    "undertrained",
    "fresh",
    "audit_rate",
    "harm",
    "shadow_rate",
    "slack_ms",
    "patience",
    "slow_ms",
    "valid_days",
    "keep_days",
    "prompts",
)
"""What `[tasks.NAME]` may set for one task."""


def declared(key: str) -> Setting:
    """The setting of this dotted name; SettingError names the nearest."""
    for setting in SETTINGS:
        if setting.key == key:
            return setting
    raise unknown("setting", key, [s.key for s in SETTINGS] + ["providers", "tasks"])
