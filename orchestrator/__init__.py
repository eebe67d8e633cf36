"""Bulk file restore for Veeam Backup Enterprise Manager: mounts, copies, proves, and always deletes the mounts."""

from importlib.metadata import version

__version__ = version("orchestrator")
