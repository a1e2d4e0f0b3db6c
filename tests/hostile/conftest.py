"""The queues and functions of the command's own tests."""

from __future__ import annotations

from ..cli.conftest import orders, orders_function

__all__ = ["orders", "orders_function"]
