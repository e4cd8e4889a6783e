"""What holds where no document says anything: names, and which of them are closed until the installation opens them.

Pure values. Owns the list of methods that would give a remote caller the machine itself rather than Codex on it.
Source: docs/protocol.md, "Policy".
"""

from __future__ import annotations

SANDBOX_MODES = ("read-only", "workspace-write", "danger-full-access", "external-sandbox")
OPEN_SANDBOX_MODES = ("read-only", "workspace-write")
RESTRICTED, ENABLED = "restricted", "enabled"
NETWORK_ACCESS = (RESTRICTED, ENABLED)
"""Whether what Codex runs in its sandbox reaches the network."""
OPEN_NETWORK_ACCESS = (RESTRICTED,)
PROFILE = "profile:"
"""What a permission profile of Codex's configuration is called in a policy: with its name behind this.

Nobody here knows what one allows, so each is closed as full access is."""

AUTO_REVIEW = "auto-review"
"""Codex lets a model answer instead of a person."""
APPROVAL_POLICIES = ("untrusted", "on-failure", "on-request", "granular", AUTO_REVIEW, "never")
NEVER = "never"

DESKTOP = "desktop"
GATEWAY = "gateway"
LANES = ("desktop", "local_sandbox", "daytona", "cloudflare_sandbox", "gke", "gateway")
OPEN_LANES = (DESKTOP,)

STOP = "worker/stop"
ALWAYS = frozenset({STOP, "turn/interrupt"})
"""No document takes the brake away from whoever may drive."""

ESCAPING_PREFIXES = (
    "process/",
    "fs/",
    "config/",
    "command/exec",
    "account/login/",
    "account/gatewayOAuth/",
    "account/bedrock/",
    "account/gcp/",
    "accountSession/",
    "externalAgentConfig/",
    "marketplace/",
    "plugin/share/",
    "remoteControl/",
    "userVerification/",
)
ESCAPING = frozenset(
    {
        "thread/shellCommand",
        "thread/approveGuardianDeniedAction",
        "account/logout",
        "environment/add",
        "experimentalFeature/enablement/set",
        "mcpServer/oauth/login",
        "mcpServer/tool/call",
        "modelProvider/config/write",
        "plugin/install",
        "plugin/uninstall",
        "skills/config/write",
        "skills/extraRoots/set",
        "windowsSandbox/setupStart",
    }
)
CONFIG_WRITE = "config/value/write"
"""What `config` in the params of a request amounts to: any setting of Codex, a tool server's command among them."""


def escapes(method: str) -> bool:
    """Whether `method` runs outside Codex's sandbox, or changes the machine, its account or its settings."""
    return method in ESCAPING or method.startswith(ESCAPING_PREFIXES)
