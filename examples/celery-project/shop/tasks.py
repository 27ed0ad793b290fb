"""Tasks as they stood before: a function, one that retries itself, and a class."""

from celery import Task, shared_task

from shop.celery import app


@shared_task
def send_reminders(window: str, dry_run: bool = False) -> str:
    """Remind people of their carts."""
    return f"{'would remind' if dry_run else 'reminded'} of the last {window}"


@shared_task(bind=True, autoretry_for=(OSError,), max_retries=3, default_retry_delay=1)
def refresh_prices(self: Task, currency: str) -> str:
    """Fetch prices; the first try fails, and Celery's own retry mends it."""
    if self.request.retries == 0:
        raise OSError("the price service is busy")
    return f"prices in {currency}"


class CloseOrders(Task):  # type: ignore[misc]  # Celery has no types
    """Close what nobody has paid."""

    name = "shop.close_orders"

    def run(self, days: int) -> dict[str, int]:
        return {"closed": days}


app.register_task(CloseOrders())


@shared_task
def thank(name: str) -> str:
    """Sent by the shop itself, with `thank.delay(...)`: none of taskcfg's business."""
    return f"Thank you, {name}!"
