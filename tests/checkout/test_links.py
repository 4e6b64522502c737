"""A visitor's walk from a link to the receipt."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PHONE = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("km", True)])
def test_a_gift_of_the_payer_s_own_amount(
    shop: Any, visit: Callable[..., Any], pictures: Path, language: str, dark: bool
) -> None:
    terms = {"least_amount": "1.00", "most_amount": "50.00", "currency": "USD", "description": "A gift for Dara"}
    link = shop.post("/v1/links", **terms)
    page = visit(link["url"], language=language, dark=dark, profile=PHONE)
    page.screenshot(path=pictures / f"link-phone-{language}-{'dark' if dark else 'light'}.png", full_page=True)
    page.fill("#amount", "0.50")
    page.click("#pay")
    page.wait_for_selector('#amount[aria-invalid="true"]')
    assert page.input_value("#amount") == "0.50"  # to correct, not to write again
    page.fill("#amount", "12.5")
    page.click("#pay")
    page.wait_for_selector('#view[data-state="waiting"]')
    assert "$ 12.50" in page.inner_text(".card")
    assert page.get_attribute("html", "lang") == language
    payment = shop.http.get("/v1/payments?limit=1").json()["data"][0]
    shop.pay(payment)
    page.wait_for_selector('#view[data-state="paid"]')
    seen = shop.http.get(f"/v1/links/{link['reference']}").json()
    assert (seen["opened"], seen["paid_payments"], seen["net_amount"]) == (1, 1, "12.50")


@pytest.mark.parametrize("width", [320, 1920])
def test_a_link_s_page_fits(shop: Any, visit: Callable[..., Any], width: int) -> None:
    link = shop.post("/v1/links", amount="10000", currency="KHR", description="កាហ្វេ " + "W" * 60)
    page = visit(link["url"], profile={"viewport": {"width": width, "height": 740}})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
