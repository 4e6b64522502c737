"""A payer's walk through the page, in a real browser before a real service and a simulated bank."""

import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
import zxingcpp
from PIL import Image

from bakong_service.web.checkout.states import State
from bakong_service.web.checkout.words import KHMER, STATES, WORDS

ENGLISH_STATES, ENGLISH_WORDS = STATES["en"], WORDS["en"]
Visit = Callable[..., Any]
Shop = Any  # the one of conftest.py
Returning = Callable[..., Any]
PHONE = {
    "viewport": {"width": 360, "height": 740},
    "device_scale_factor": 2,
    "is_mobile": True,
    "has_touch": True,
}
DESKTOP = {"viewport": {"width": 1280, "height": 900}}


def shows(page: Any, state: State, *, seconds: float = 10) -> None:
    """Wait until the page shows a state by itself, and hold its three sentences against the table."""
    page.wait_for_selector(f'#view[data-state="{state}"]', timeout=seconds * 1000)
    texts = STATES[page.get_attribute("html", "lang")][state]
    for place, text in zip(("h1", ".do:visible", ".dont"), texts, strict=True):
        seen = page.inner_text(f".told {place}").strip("✓ …")
        assert seen in (text.strip("✓ …"), WORDS[page.get_attribute("html", "lang")]["on_phone"]), place


_COUNT_HINTS = """
window.hints = 0;
const real = window.fetch;
window.fetch = (address, ...rest) => { if (address.endsWith("/check")) window.hints++; return real(address, ...rest); };
"""
_BECOME = "isHidden => { Object.defineProperty(document, 'hidden', { value: isHidden, configurable: true });"
_BECOME += " document.dispatchEvent(new Event('visibilitychange')); }"


@pytest.fixture
def returning(visit: Visit) -> Returning:
    """Open a page whose clock stands still, leave it for a bank app and come back: `returning(url, away_seconds=6)`."""

    def returning(url: str, *, away_seconds: int) -> Any:
        page = visit("about:blank", profile=PHONE)
        page.add_init_script(_COUNT_HINTS)
        page.clock.install(time=0)
        page.goto(url)
        page.clock.pause_at(60_000)
        page.evaluate(_BECOME, arg=True)
        page.clock.run_for(away_seconds * 1000)
        page.evaluate(_BECOME, arg=False)
        return page

    return returning


def _hints(page: Any) -> int:
    """Return how often the page has asked the service to look."""
    return int(page.evaluate("window.hints"))


def payload_on(picture: bytes) -> str:
    """Read the code on a picture."""
    [found] = zxingcpp.read_barcodes(Image.open(BytesIO(picture)).convert("RGB"))
    return str(found.text)


def test_the_page_changes_within_a_second_of_the_payment(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"])
    shows(page, State.WAITING)
    shop.pay(payment)
    shop.until_status(payment, "paid")
    shows(page, State.PAID, seconds=1)
    receipt = page.inner_text(".receipt")
    for fact in ("Two iced coffees", "$ 2.50", payment["bill_number"], "•••@"):
        assert fact in receipt
    assert page.title().startswith("Paid")
    assert page.inner_text("#announce").startswith("Paid")


def test_money_that_comes_late_and_is_accepted_is_told_as_late(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"])
    shop.advance(18 * 60)
    shop.until_status(payment, "timeout")
    shows(page, State.EXPIRED)
    shop.pay(payment)
    page.click("#have-paid")
    shows(page, State.LATE)


def test_a_wrong_amount_is_a_matter_for_the_shop(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"])
    shop.pay(payment, amount="1.00")
    shop.until_status(payment, "review")
    shows(page, State.REVIEW, seconds=2)
    assert payment["bill_number"] in page.inner_text(".facts")


def test_an_expired_code_disappears_and_leads_to_a_new_one(shop: Shop, visit: Visit) -> None:
    payment = shop.create(metadata={"order": "17"})
    page = visit(payment["checkout_url"])
    shop.advance(620)
    shows(page, State.EXPIRED, seconds=40)  # the clock jumped, so the next look may be ten seconds away
    assert page.query_selector(".symbol") is None
    page.click("#new")
    shows(page, State.WAITING)
    newer = shop.http.get("/v1/payments?limit=1").json()["data"][0]
    assert (newer["replaces"], newer["metadata"]) == (payment["reference"], {"order": "17"})
    assert newer["md5"] != payment["md5"]
    page.goto(payment["checkout_url"])
    shows(page, State.REPLACED)


def test_a_cancelled_payment_says_what_to_do(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"])
    shop.post(payment["links"]["cancel"])
    shows(page, State.CANCELLED, seconds=2)


def test_a_page_that_was_offline_goes_on_where_it_was(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"])
    page.context.set_offline(True)
    page.wait_for_selector("#offline:visible")
    assert page.inner_text("#offline") == ENGLISH_WORDS["offline"]
    shop.pay(payment)
    shop.until_status(payment, "paid")
    shows(page, State.WAITING)
    page.context.set_offline(False)
    shows(page, State.PAID)
    assert page.is_hidden("#offline")


def test_without_a_stream_the_page_asks_now_and_then(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit("about:blank")
    page.route("**/events", lambda route: route.fulfill(status=503))
    page.goto(payment["checkout_url"])
    shop.pay(payment)
    shows(page, State.PAID)


def test_without_javascript_the_page_works_by_reload(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"], java_script_enabled=False)
    shows(page, State.WAITING)
    assert '<meta http-equiv="refresh" content="15">' in page.content()
    page.click("#have-paid")
    shows(page, State.CHECKING)
    shop.pay(payment)
    shop.until_status(payment, "paid")
    page.reload()
    shows(page, State.PAID)


def test_i_have_paid_lets_the_service_look_at_once(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"])
    page.click("#have-paid")
    shows(page, State.CHECKING)


def test_a_payer_who_comes_back_lets_the_service_look_once_a_moment_later(shop: Shop, returning: Returning) -> None:
    payment = shop.create()
    page = returning(payment["checkout_url"], away_seconds=6)
    page.clock.run_for(1400)
    assert _hints(page) == 0
    page.clock.run_for(200)
    assert _hints(page) == 1
    shows(page, State.CHECKING)
    page.clock.run_for(5000)
    assert _hints(page) == 1


def test_a_payer_who_comes_back_to_a_receipt_lets_nobody_look(shop: Shop, returning: Returning) -> None:
    payment = shop.create()
    page = returning(payment["checkout_url"], away_seconds=6)
    shop.pay(payment)
    shows(page, State.PAID)
    page.clock.run_for(5000)
    assert _hints(page) == 0


def test_a_payer_who_was_away_too_shortly_to_pay_lets_nobody_look(shop: Shop, returning: Returning) -> None:
    page = returning(shop.create()["checkout_url"], away_seconds=4)
    page.clock.run_for(5000)
    assert _hints(page) == 0


def test_on_a_phone_the_button_opens_the_bank_app(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"], profile=PHONE)
    link = shop.http.get(payment["links"]["deeplink"]).json()["deeplink"]
    page.route(link, lambda route: route.fulfill(body="the bank app"))
    page.tap("#open")
    page.wait_for_url(link)


def test_while_bakong_makes_no_link_the_button_says_so(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"], profile=PHONE)
    shop.simulator("faults", kind="server_error", endpoint="generate_deeplink_by_qr", times=5)
    try:
        page.tap("#open")
        page.wait_for_function(
            "text => document.getElementById('open').textContent === text", arg=ENGLISH_WORDS["no_link"]
        )
    finally:
        shop.simulator("clear_faults")


def test_the_saved_card_is_read_back_to_the_exact_payload(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"], profile=PHONE)
    with page.expect_download() as download:
        page.tap("#save")
    assert payload_on(Path(download.value.path()).read_bytes()) == payment["qr"]


@pytest.mark.parametrize("scale", [1, 1.25, 2, 3])
@pytest.mark.parametrize("dark", [False, True])
def test_the_symbol_on_a_phone_s_screen_is_read_back_to_the_exact_payload(
    shop: Shop, visit: Visit, scale: float, dark: bool
) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"], profile=PHONE, device_scale_factor=scale, dark=dark)
    assert payload_on(page.screenshot(full_page=True)) == payment["qr"]


@pytest.mark.parametrize("scale", [1, 1.25, 2, 3])
def test_a_browser_that_forces_darkness_leaves_the_card_alone(forced_dark: Any, shop: Shop, scale: float) -> None:
    payment = shop.create()
    page = forced_dark.new_page(**{**PHONE, "device_scale_factor": scale})
    page.goto(payment["checkout_url"])
    picture = page.screenshot(full_page=True)
    page.close()
    assert payload_on(picture) == payment["qr"]


def test_khmer_is_spoken_and_set_in_the_shipped_font(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"], language="km")
    shows(page, State.WAITING)
    assert page.get_attribute("html", "lang") == KHMER
    page.wait_for_function(
        "document.fonts.check('16px Khmer', 'ក') && [...document.fonts].some(f => f.status === 'loaded')"
    )
    page.click(".language")
    page.wait_for_selector('html[lang="en"]')
    shop.pay(payment)
    shows(page, State.PAID)  # the switch is kept when the page changes by itself


def test_the_keyboard_alone_is_enough(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit(payment["checkout_url"])
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        if reached[-1] == "have-paid":
            break
    assert reached == ["language", "save", "have-paid"]
    page.keyboard.press("Enter")
    shows(page, State.CHECKING)
    assert page.evaluate("document.activeElement.id") == "title"  # the button is gone: the reader hears what is new


@pytest.mark.parametrize("width", [320, 360, 768, 832, 1280, 1920])
def test_nothing_is_cut_off_at_any_width(shop: Shop, visit: Visit, width: int) -> None:
    payment = shop.create(description="ការជាវប្រចាំខែសម្រាប់កម្មវិធីរំលឹកលេបថ្នាំគ្រួសារ " + "W" * 60)
    for language in ("en", "km"):
        page = visit(payment["checkout_url"], language=language, profile={"viewport": {"width": width, "height": 740}})
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("language", ["en", "km"])
def test_a_long_amount_stays_on_one_line_of_the_card(shop: Shop, visit: Visit, language: str) -> None:
    payment = shop.create(amount="9999999999", currency="KHR")
    page = visit(payment["checkout_url"], language=language, profile={"viewport": {"width": 320, "height": 740}})
    height, room = page.eval_on_selector(".what", "e => [e.scrollHeight, e.clientHeight]")
    assert height <= room
    currency, card = (page.locator(place).bounding_box() for place in (".amount small", ".card"))
    assert currency["x"] + currency["width"] < card["x"] + card["width"]


def test_the_page_weighs_under_a_hundred_kilobytes_and_asks_no_other_host(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit("about:blank", language="km")
    weights: dict[str, int] = {}
    page.on(
        "response",
        lambda answer: weights.update({answer.url: len(answer.body())} if "/events" not in answer.url else {}),
    )
    page.goto(payment["checkout_url"])
    page.wait_for_timeout(300)
    assert all(url.startswith(shop.url) for url in weights)
    assert len(weights) >= 4
    assert sum(weights.values()) < 100_000


@pytest.mark.slow
def test_the_page_shows_within_a_second_on_a_slow_phone(shop: Shop, visit: Visit) -> None:
    payment = shop.create()
    page = visit("about:blank", profile=PHONE)
    slow = page.context.new_cdp_session(page)
    slow.send("Network.enable")
    kilobyte = 1024
    slow.send(
        "Network.emulateNetworkConditions",
        {"offline": False, "latency": 150, "downloadThroughput": 200 * kilobyte, "uploadThroughput": 90 * kilobyte},
    )
    slow.send("Emulation.setCPUThrottlingRate", {"rate": 4})
    page.goto(payment["checkout_url"])
    painted = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
    print(f"first paint after {painted:.0f} ms")
    assert painted < 1000


@pytest.mark.parametrize(("width", "height"), [("105mm", "148mm"), ("58mm", "200mm")])
def test_a_receipt_fits_on_one_page(shop: Shop, visit: Visit, width: str, height: str) -> None:
    payment = shop.create()
    shop.pay(payment)
    shop.until_status(payment, "paid")
    for language in ("en", "km"):
        page = visit(payment["checkout_url"], language=language)
        shows(page, State.PAID)
        pdf = page.pdf(width=width, height=height)
        assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


def test_printing_needs_no_font_that_the_screen_has_not_loaded(shop: Shop, visit: Visit) -> None:
    """A browser doesn't wait for a font before it prints: it would print boxes."""
    payment = shop.create(description="កាហ្វេ ពីរកែវ")
    shop.pay(payment)
    shop.until_status(payment, "paid")
    page = visit(payment["checkout_url"], profile={"viewport": {"width": 219, "height": 740}})  # 58 mm
    shows(page, State.PAID)
    asked_for = "document.body.offsetHeight && [...document.fonts].filter(font => font.status !== 'unloaded').length"
    page.wait_for_function("document.fonts.status === 'loaded'")
    before = page.evaluate(asked_for)
    page.emulate_media(media="print")
    assert page.evaluate(asked_for) == before


def test_the_way_back_is_the_shop_s_own(shop: Shop, visit: Visit) -> None:
    urls = {"success_url": "https://shop.example/thanks", "cancel_url": "https://shop.example/basket"}
    payment = shop.create(**urls)
    page = visit(payment["checkout_url"])
    assert page.get_attribute("#back", "href") == urls["cancel_url"]
    shop.pay(payment)
    shows(page, State.PAID)
    assert page.get_attribute("#back", "href") == urls["success_url"]


def test_no_text_of_the_shop_becomes_markup(shop: Shop, visit: Visit) -> None:
    payment = shop.create(description='<img src=x onerror="document.title=1"><script>document.title=2</script>')
    page = visit(payment["checkout_url"])
    assert "<img src=x" in page.inner_text(".facts")
    assert page.title().startswith(ENGLISH_STATES[State.WAITING][0])


@pytest.mark.slow
def test_every_state_is_pictured(shop: Shop, visit: Visit, pictures: Path) -> None:
    """Take the pictures that eyes look at: `PICTURES=folder pytest -m slow tests/checkout`."""
    for state, payment in _each_state(shop):
        for name, profile in (("desktop", DESKTOP), ("phone", PHONE)):
            for language in ("en", "km"):
                for dark in (False, True):
                    if state == "checking":
                        _hint(shop, payment)
                    page = visit(payment["checkout_url"], language=language, dark=dark, profile=profile)
                    assert page.get_attribute("#view", "data-state") == state
                    shade = "dark" if dark else "light"
                    page.screenshot(path=pictures / f"{state}-{name}-{language}-{shade}.png", full_page=True)
                    page.context.close()


def _hint(shop: Shop, payment: dict[str, Any]) -> None:
    shop.advance(15)  # after the hint before
    shop.post(payment["links"]["check"])


def _each_state(shop: Shop) -> Iterator[tuple[str, dict[str, Any]]]:
    back = {"return_url": "https://shop.example/order/17"}
    yield "waiting", shop.create(**back)
    yield "checking", shop.create(**back)
    paid = shop.create(**back)
    shop.pay(paid)
    yield "paid", shop.until_status(paid, "paid")
    partly = shop.create(**back)
    shop.pay(partly)
    shop.until_status(partly, "paid")
    shop.post(f"{partly['links']['self']}/refund", amount="1.00", refund_reference="FT26110112346")
    yield "partly_refunded", partly
    wrong = shop.create(**back)
    shop.pay(wrong, amount="1.00")
    yield "review", shop.until_status(wrong, "review")
    cancelled = shop.create(**back)
    shop.post(cancelled["links"]["cancel"])
    yield "cancelled", cancelled
    shop.post(f"{paid['links']['self']}/refund", refund_reference="FT26110112345")
    yield "refunded", paid
    shop.simulator("switches", md5_list_closed=True)  # a list doesn't show that a transfer failed
    failed = shop.create(**back)
    shop.simulator("fail", qr=failed["qr"])
    shop.until(failed, lambda seen: shop.advance(10) is None and seen["status"] == "failed")
    shop.simulator("switches", md5_list_closed=False)
    yield "failed", failed
    late = shop.create(**back)
    shop.advance(18 * 60)
    shop.until_status(late, "timeout")
    shop.pay(late)
    shop.post(late["links"]["check"])
    yield "late", shop.until_status(late, "paid")
    old, older = shop.create(**back), shop.create(**back)
    shop.advance(620)
    shop.until(old, lambda seen: _is_expired(shop, old))
    yield "expired", old
    shop.until(older, lambda seen: _is_expired(shop, older))
    assert httpx.post(f"{shop.url}/pay/{older['client_token']}/new", trust_env=False).status_code == 303
    yield "replaced", older
    shop.simulator("switches", geo_block=True)
    away = shop.create(**back)
    try:
        shop.until(away, lambda seen: _mark(shop, away).startswith("unreachable"))
        yield "unreachable", away
    finally:
        shop.simulator("switches", geo_block=False)


def _mark(shop: Shop, payment: dict[str, Any]) -> str:
    return httpx.get(f"{shop.url}/pay/{payment['client_token']}/status", trust_env=False).text


def _is_expired(shop: Shop, payment: dict[str, Any]) -> bool:
    return _mark(shop, payment).startswith("expired")
