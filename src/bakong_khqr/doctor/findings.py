# ruff: noqa: E501 - in a table of sentences, each sentence has its line
"""The findings of the doctor: a table with the verdict of each, and with its words in English and Khmer."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

from attrs import field, frozen

Language = Literal["en", "km"]


class Verdict(StrEnum):
    """What a finding means for the calls of a client."""

    OK = "ok"
    """It is right."""
    WARNING = "warning"
    """It is worth knowing, but stops no call."""
    FAILURE = "failure"
    """A reason why calls fail."""


@frozen
class Wording:
    """The words of a finding in one language: what was found, and what to do; empty if there is nothing to do."""

    found: str
    advice: str = ""


@frozen(kw_only=True)
class Finding:
    """One thing that the doctor found."""

    code: str
    """A key of `WORDINGS`: `"token_expired"`."""
    facts: Mapping[str, object] = field(factory=dict)
    """The values that the sentences of the finding show. No secret is among them."""

    @property
    def verdict(self) -> Verdict:
        """Whether the finding is right, worth knowing, or wrong."""
        return WORDINGS[self.code][0]

    def found(self, language: Language = "en") -> str:
        """Return what was found, in a sentence."""
        return self._wording(language).found.format_map(self.facts)

    def advice(self, language: Language = "en") -> str:
        """Return what to do about it; empty if there is nothing to do."""
        return self._wording(language).advice.format_map(self.facts)

    def _wording(self, language: Language) -> Wording:
        _, english, khmer = WORDINGS[self.code]
        return khmer if language == "km" else english


OK, WARNING, FAILURE = Verdict

WORDINGS: dict[str, tuple[Verdict, Wording, Wording]] = {
    # The token, as far as it can be read here
    "token_missing": (
        WARNING,
        Wording("No token is set.", "Set BAKONG_TOKEN. Register at https://api-bakong.nbc.gov.kh/register to get one."),
        Wording("មិនទាន់មានថូខឹនទេ។", "សូមកំណត់ BAKONG_TOKEN។ ចុះឈ្មោះយកថូខឹននៅ https://api-bakong.nbc.gov.kh/register ។"),
    ),
    "token_valid": (
        OK,
        Wording("The token expires in {days} days, at {expires_at}."),
        Wording("ថូខឹននៅប្រើបាន {days} ថ្ងៃទៀត រហូតដល់ {expires_at}។"),
    ),
    "token_ends_soon": (
        WARNING,
        Wording("The token expires in {days} days, at {expires_at}.", "Renew it: khqr token renew."),
        Wording("ថូខឹននឹងផុតកំណត់ក្នុង {days} ថ្ងៃទៀត នៅ {expires_at}។", "សូមបន្តថូខឹន៖ khqr token renew។"),
    ),
    "token_expired": (
        FAILURE,
        Wording("The token expired at {expires_at}.", "Renew it: khqr token renew. Tokens last 90 days."),
        Wording("ថូខឹនបានផុតកំណត់នៅ {expires_at}។", "សូមបន្តថូខឹន៖ khqr token renew។ ថូខឹនមានសុពលភាព ៩០ ថ្ងៃ។"),
    ),
    "token_of_a_relay": (
        FAILURE,
        Wording(
            "The token is from a relay, not from Bakong.",
            "Use the token that the National Bank of Cambodia mailed to you; it begins with eyJ. A relay sees every payment.",
        ),
        Wording(
            "ថូខឹននេះជារបស់សេវាបញ្ជូនបន្ត មិនមែនរបស់បាគងទេ។",
            "សូមប្រើថូខឹនដែលធនាគារជាតិនៃកម្ពុជាផ្ញើតាមអ៊ីមែល ដែលចាប់ផ្តើមដោយ eyJ។ សេវាបញ្ជូនបន្តមើលឃើញគ្រប់ការបង់ប្រាក់របស់អ្នក។",
        ),
    ),
    "token_without_dates": (
        WARNING,
        Wording("The token doesn't say when it expires.", "Bakong's tokens are JWTs with an expiry. A simulator's token may have none."),
        Wording("ថូខឹននេះមិនប្រាប់ថ្ងៃផុតកំណត់ទេ។", "ថូខឹនរបស់បាគងជា JWT ដែលមានថ្ងៃផុតកំណត់។ ថូខឹនសម្រាប់សាកល្បងអាចគ្មាន។"),
    ),
    # The way to the host
    "address_of_production": (OK, Wording("Asking Bakong's production: {host}."), Wording("កំពុងសួរបាគងផ្លូវការ៖ {host}។")),
    "address_of_sit": (
        WARNING,
        Wording("Asking Bakong's test environment: {host}.", "Real payments are not found there."),
        Wording("កំពុងសួរបាគងសម្រាប់សាកល្បង៖ {host}។", "ការបង់ប្រាក់ពិតប្រាកដមិនមាននៅទីនោះទេ។"),
    ),
    "address_of_another": (
        OK,
        Wording("Asking {host}, which isn't Bakong's own address: your forwarder, or a simulator."),
        Wording("កំពុងសួរ {host} ដែលមិនមែនជាអាសយដ្ឋានផ្ទាល់របស់បាគង៖ ជាម៉ាស៊ីនបញ្ជូនបន្តរបស់អ្នក ឬកម្មវិធីត្រាប់តាមបាគង។"),
    ),
    "plain_http": (
        WARNING,
        Wording("The address is http, and {host} isn't this machine.", "Everybody on the way can read the token: use https or an SSH tunnel."),
        Wording("អាសយដ្ឋានប្រើ http ហើយ {host} មិនមែនម៉ាស៊ីននេះទេ។", "ថូខឹនធ្វើដំណើរដោយគ្មានការការពារ៖ សូមប្រើ https ឬ SSH tunnel។"),
    ),
    "environment_unfit": (
        FAILURE,
        Wording("A setting of the environment can't be used: {reason}.", "Correct or unset this variable, because every client fails with it."),
        Wording("ការកំណត់ក្នុង environment ប្រើមិនបាន៖ {reason}។", "សូមកែ ឬលុបអថេរនេះ ព្រោះវាធ្វើឲ្យកម្មវិធីភ្ជាប់មិនបាន។"),
    ),
    "by_proxy": (
        OK,
        Wording("The proxy of the environment, {proxy}, leads to {host} and asks DNS for it."),
        Wording("Proxy {proxy} នៃ environment នាំទៅ {host} ហើយរកឈ្មោះវាតាម DNS។"),
    ),
    "proxy_wants_password": (
        FAILURE,
        Wording(
            "The proxy on the way to {host} needs a user and a password (HTTP 407).",
            "Put them in the proxy's URL: HTTPS_PROXY=http://user:password@host:port.",
        ),
        Wording(
            "Proxy នៅតាមផ្លូវទៅ {host} ត្រូវការឈ្មោះអ្នកប្រើ និងពាក្យសម្ងាត់ (HTTP 407)។",
            "សូមដាក់វាក្នុង URL របស់ proxy៖ HTTPS_PROXY=http://user:password@host:port។",
        ),
    ),
    "proxy_failed": (
        FAILURE,
        Wording("The proxy on the way to {host} doesn't let the call through: {reason}.", "Check that the proxy runs, and that it may connect to {host}."),
        Wording("Proxy នៅតាមផ្លូវទៅ {host} មិនអនុញ្ញាតឲ្យឆ្លងកាត់ទេ៖ {reason}។", "សូមពិនិត្យថា proxy កំពុងដំណើរការ និងអាចទៅដល់ {host}។"),
    ),
    "name_found": (OK, Wording("DNS knows {host}: {addresses}."), Wording("DNS ស្គាល់ {host}៖ {addresses}។")),
    "name_not_found": (
        FAILURE,
        Wording("DNS doesn't know {host}.", "Check the name and this machine's resolver; in Docker set `dns: [1.1.1.1]`."),
        Wording("DNS មិនស្គាល់ {host} ទេ។", "សូមពិនិត្យឈ្មោះ និង DNS របស់ម៉ាស៊ីននេះ។ ក្នុង Docker សូមកំណត់ `dns: [1.1.1.1]`។"),
    ),
    "tls_failed": (
        FAILURE,
        Wording(
            "No trusted TLS connection to {host}: {reason}.",
            "Check this machine's clock and certificates (ca-certificates). Bakong's test environment may have a chain that nobody trusts.",
        ),
        Wording(
            "មិនអាចភ្ជាប់ TLS ដែលទុកចិត្តបានទៅ {host}៖ {reason}។",
            "សូមពិនិត្យម៉ោង និងវិញ្ញាបនបត្រ (ca-certificates) របស់ម៉ាស៊ីននេះ។ បរិស្ថានសាកល្បងរបស់បាគងអាចមានវិញ្ញាបនបត្រដែលមិនទុកចិត្តបាន។",
        ),
    ),
    "no_connection": (
        FAILURE,
        Wording("{host} doesn't answer: {reason}.", "Check network, outgoing firewall (port 443) and proxy, then try again later."),
        Wording("{host} មិនឆ្លើយទេ៖ {reason}។", "សូមពិនិត្យបណ្ដាញ ជញ្ជាំងភ្លើងខាងចេញ (ច្រក 443) និង proxy រួចសាកម្តងទៀតនៅពេលក្រោយ។"),
    ),
    "clock_right": (OK, Wording("This machine's clock is right to {seconds} s."), Wording("ម៉ោងម៉ាស៊ីននេះត្រឹមត្រូវ (ខុស {seconds} វិនាទី)។")),
    "clock_wrong": (
        FAILURE,
        Wording(
            "This machine's clock is off by {seconds} s.",
            "Set it with NTP (timedatectl set-ntp true): codes have their times, and bank apps refuse expired codes.",
        ),
        Wording(
            "ម៉ោងម៉ាស៊ីននេះខុស {seconds} វិនាទី។",
            "សូមកំណត់ម៉ោងតាម NTP (timedatectl set-ntp true)៖ កូដ QR មានម៉ោងរបស់វា ហើយកម្មវិធីធនាគារមិនទទួលកូដផុតកំណត់ទេ។",
        ),
    ),
    # The door
    "door_open": (
        OK,
        Wording("Bakong lets this machine in: a check without a token gets HTTP 401."),
        Wording("បាគងអនុញ្ញាតឲ្យម៉ាស៊ីននេះចូល៖ ការសួរដោយគ្មានថូខឹនបាន HTTP 401។"),
    ),
    "user_agent_refused": (
        FAILURE,
        Wording(
            "The firewall refuses our User-Agent and accepts a browser's.",
            "Something on the way removes or changes the User-Agent header: check your proxy or forwarder.",
        ),
        Wording(
            "ជញ្ជាំងភ្លើងបដិសេធ User-Agent របស់យើង ប៉ុន្តែអនុញ្ញាត User-Agent របស់កម្មវិធីរុករក។",
            "មានអ្វីមួយនៅតាមផ្លូវដែលលុប ឬប្តូរ User-Agent៖ សូមពិនិត្យ proxy ឬម៉ាស៊ីនបញ្ជូនបន្តរបស់អ្នក។",
        ),
    ),
    "country_blocked": (
        FAILURE,
        Wording(
            "Bakong refuses this machine's country (HTTP 403).",
            "Call from a server in Cambodia, or through a forwarder of your own there. Don't give your token to a relay.",
        ),
        Wording(
            "បាគងបដិសេធប្រទេសរបស់ម៉ាស៊ីននេះ (HTTP 403)។",
            "សូមហៅពីម៉ាស៊ីនមេក្នុងប្រទេសកម្ពុជា ឬតាមម៉ាស៊ីនបញ្ជូនបន្តផ្ទាល់ខ្លួននៅទីនោះ។ កុំឲ្យថូខឹនទៅសេវាបញ្ជូនបន្តរបស់អ្នកដទៃ។",
        ),
    ),
    "firewall_blocked": (
        FAILURE,
        Wording(
            "A firewall in front of Bakong refuses this machine (HTTP 403 by {server}).",
            "It often refuses addresses of data centres and of other countries. Try a Cambodian address; if this is one, ask NBC to allow it.",
        ),
        Wording(
            "ជញ្ជាំងភ្លើងមុខបាគងបដិសេធម៉ាស៊ីននេះ (HTTP 403 ដោយ {server})។",
            "ច្រើនតែជាអាសយដ្ឋានមជ្ឈមណ្ឌលទិន្នន័យ ឬនៅក្រៅប្រទេស។ សូមសាកអាសយដ្ឋានក្នុងកម្ពុជា បើជាអាសយដ្ឋានកម្ពុជាហើយ សូមស្នើ NBC ឲ្យអនុញ្ញាត។",
        ),
    ),
    "no_bakong": (
        FAILURE,
        Wording("The server at {host} isn't Bakong (HTTP {status}).", "Check BAKONG_BASE_URL, and the path that your forwarder uses."),
        Wording("អ្វីដែលឆ្លើយនៅ {host} មិនមែនបាគងទេ (HTTP {status})។", "សូមពិនិត្យ BAKONG_BASE_URL និងផ្លូវដែលម៉ាស៊ីនបញ្ជូនបន្តរបស់អ្នកផ្ញើទៅ។"),
    ),
    "bakong_in_trouble": (
        FAILURE,
        Wording("Bakong itself is in trouble: {reason}.", "There is nothing to correct here. It doesn't mean that a payment is unpaid: ask again later."),
        Wording("បាគងខ្លួនឯងកំពុងមានបញ្ហា៖ {reason}។", "មិនមានអ្វីត្រូវជួសជុលនៅទីនេះទេ។ នេះមិនមែនមានន័យថាមិនទាន់បង់ប្រាក់ទេ៖ សូមសួរម្តងទៀតនៅពេលក្រោយ។"),
    ),
    # With the token
    "token_accepted": (OK, Wording("Bakong accepts the token."), Wording("បាគងទទួលយកថូខឹន។")),
    "token_refused": (
        FAILURE,
        Wording("Bakong refuses the token, though it isn't expired.", "A newer token replaced it, or a part of it is missing. Renew it: khqr token renew."),
        Wording("បាគងបដិសេធថូខឹន ទោះបីវាមិនទាន់ផុតកំណត់ក៏ដោយ។", "ថូខឹននេះត្រូវបានជំនួសដោយថូខឹនថ្មី ឬមិនពេញលេញ។ សូមបន្តថូខឹន៖ khqr token renew។"),
    ),
    "wrong_environment": (
        FAILURE,
        Wording("The token is of the other environment: {other} accepts it.", "Set BAKONG_BASE_URL to https://{other}, or use a token of this environment."),
        Wording("ថូខឹននេះជារបស់បរិស្ថានផ្សេង៖ {other} ទទួលយកវា។", "សូមកំណត់ BAKONG_BASE_URL ជា https://{other} ឬប្រើថូខឹនរបស់បរិស្ថាននេះ។"),
    ),
    "quota_spent": (
        FAILURE,
        Wording(
            "The token's calls for today are spent (code 17).",
            "The quota should be renewed at midnight in Phnom Penh. Ask less often (SPARING), use hints, and ask NBC for a larger quota.",
        ),
        Wording(
            "ចំនួនសួរប្រចាំថ្ងៃរបស់ថូខឹនអស់ហើយ (កូដ 17)។",
            "គួរមានវិញនៅពាក់កណ្ដាលអធ្រាត្រម៉ោងភ្នំពេញ។ សូមសួរឲ្យតិច (SPARING) ប្រើ hint និងស្នើ NBC បង្កើនចំនួន។",
        ),
    ),
    "list_open": (OK, Wording("The MD5 list answers: one call can ask for 50 payments."), Wording("បញ្ជី MD5 ឆ្លើយ៖ អាចសួរ ៥០ ការបង់ប្រាក់ក្នុងមួយដង។")),
    "list_closed": (
        WARNING,
        Wording("The MD5 list is closed (HTTP 403), as usual in production.", 'Use transactions_by_md5(..., fallback="singles").'),
        Wording("បញ្ជី MD5 ត្រូវបានបិទ (HTTP 403) ដូចធម្មតានៅបាគងផ្លូវការ។", 'សូមប្រើ transactions_by_md5(..., fallback="singles")។'),
    ),
    "payment_found": (OK, Wording("This MD5 has a payment."), Wording("MD5 នេះមានការបង់ប្រាក់។")),
    "payment_not_found": (
        OK,
        Wording(
            "This MD5 has no payment yet.",
            "If somebody paid: is it the MD5 of exactly the scanned text, of a dynamic code, and of this environment?",
        ),
        Wording(
            "MD5 នេះមិនទាន់មានការបង់ប្រាក់ទេ។",
            "បើមានអ្នកបានបង់៖ តើវាជា MD5 នៃអត្ថបទដែលបានស្កេនពិតប្រាកដ ជាកូដឌីណាមិក និងក្នុងបរិស្ថាននេះឬទេ?",
        ),
    ),
    "answer_unclear": (
        FAILURE,
        Wording("The answer can't be understood: {reason}.", "Run this again. If the result is the same, report it with this line."),
        Wording("មិនអាចយល់ចម្លើយបានទេ៖ {reason}។", "សូមដំណើរការម្តងទៀត បើនៅដដែល សូមរាយការណ៍ជាមួយបន្ទាត់នេះ។"),
    ),
}  # fmt: skip
