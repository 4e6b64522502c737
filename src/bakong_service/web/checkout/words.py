"""Every sentence of the payer's pages, in English and in Khmer.

A state of a payment has three sentences: `title` says what is the case, `do` what the payer should do, and `dont` what
the payer should not do. Above all a payer should not pay twice.
"""

# ruff: noqa: E501 - a table: one sentence a line

from starlette.requests import Request

from bakong_service.web.checkout.states import State

ENGLISH, KHMER = "en", "km"

# fmt: off
STATES: dict[str, dict[State, tuple[str, str, str]]] = {
    ENGLISH: {
        State.WAITING: ("Pay with KHQR", "Scan the code with any bank app that reads KHQR, and confirm the amount there.", "Pay only once. This page changes by itself when your money arrives."),
        State.CHECKING: ("Looking for your payment", "We are asking the bank system. This may take a minute.", "Don't pay again."),
        State.UNREACHABLE: ("The bank system can't be reached right now", "If you have paid, your money isn't lost: we find it as soon as the bank system answers. You can close this page and come back later.", "Don't pay a second time."),
        State.PAID: ("Paid. Thank you!", "This is your receipt. You can print it, or come back to this page.", "There is nothing more to pay."),
        State.LATE: ("Paid, after the time was over", "Your money came late, and the shop accepts it. This is your receipt.", "There is nothing more to pay."),
        State.CREDITED: ("Paid, and kept as credit", "The shop keeps your money as your credit. Ask the shop what it is used for.", "There is nothing more to pay."),
        State.PARTLY_REFUNDED: ("Paid, and partly refunded", "The shop sent back a part of your money. The receipt below says how much. If it isn't in your bank app, show this page to the shop.", "There is nothing more to pay."),
        State.REVIEW: ("The shop is looking at this payment", "Something differs from what was asked for, such as the amount or the time. Show this page to the shop, with the number below.", "Don't pay again. Your money isn't lost."),
        State.FAILED: ("The bank says that the transfer failed", "Look in your bank app. If the money is still in your account, scan the code again.", "If the money has left your account, don't pay again: show this page to the shop."),
        State.CLOSING: ("This code has expired", "We are still looking whether you have paid. In a moment you can make a new code here.", "Don't pay the old code. If you have paid, don't pay again."),
        State.EXPIRED: ("This code has expired", "If you haven't paid, make a new code. If you have paid, wait: we go on looking for your money.", "Don't pay the old code. If you have paid, don't pay again."),
        State.ASK_SHOP: ("This code has expired", "If you haven't paid, ask the shop for a new code. If you have paid, wait: we go on looking for your money.", "Don't pay the old code. If you have paid, don't pay again."),
        State.CANCELLED: ("This payment was cancelled", "If you want to pay, ask the shop for a new code. If you have paid already, show this page to the shop.", "Don't pay the old code."),
        State.REPLACED: ("A newer code took the place of this one", "Go to the new code. If you have paid this one, show this page to the shop.", "Don't pay the old code. If you have paid it, don't pay again."),
        State.REFUNDED: ("The shop sent your money back", "Look in your bank app. If the money isn't there, show this page to the shop.", "Don't pay this code again."),
    },
    KHMER: {
        State.WAITING: ("បង់ប្រាក់តាម KHQR", "សូមស្កេនកូដនេះដោយកម្មវិធីធនាគារណាមួយដែលអាន KHQR រួចបញ្ជាក់ចំនួនទឹកប្រាក់នៅទីនោះ។", "សូមបង់តែម្តងប៉ុណ្ណោះ។ ទំព័រនេះនឹងប្តូរដោយខ្លួនឯង នៅពេលប្រាក់របស់អ្នកមកដល់។"),
        State.CHECKING: ("កំពុងរកមើលការបង់ប្រាក់របស់អ្នក", "យើងកំពុងសួរទៅប្រព័ន្ធធនាគារ។ វាអាចចំណាយពេលមួយនាទី។", "សូមកុំបង់ម្តងទៀត។"),
        State.UNREACHABLE: ("មិនអាចភ្ជាប់ទៅប្រព័ន្ធធនាគារបានទេនៅពេលនេះ", "បើអ្នកបានបង់រួចហើយ ប្រាក់របស់អ្នកមិនបាត់ទេ៖ យើងនឹងរកឃើញភ្លាម នៅពេលប្រព័ន្ធធនាគារឆ្លើយមកវិញ។ អ្នកអាចបិទទំព័រនេះ ហើយត្រឡប់មកវិញពេលក្រោយ។", "សូមកុំបង់ជាលើកទីពីរ។"),
        State.PAID: ("បានបង់រួចហើយ។ សូមអរគុណ!", "នេះជាបង្កាន់ដៃរបស់អ្នក។ អ្នកអាចបោះពុម្ព ឬត្រឡប់មកទំព័រនេះវិញ។", "មិនមានអ្វីត្រូវបង់ទៀតទេ។"),
        State.LATE: ("បានបង់រួច ក្រោយពេលផុតកំណត់", "ប្រាក់របស់អ្នកមកដល់យឺត ហើយហាងបានទទួលយក។ នេះជាបង្កាន់ដៃរបស់អ្នក។", "មិនមានអ្វីត្រូវបង់ទៀតទេ។"),
        State.CREDITED: ("បានបង់រួច ហើយរក្សាទុកជាឥណទាន", "ហាងរក្សាទុកប្រាក់របស់អ្នកជាឥណទានរបស់អ្នក។ សូមសួរហាងថាវាត្រូវប្រើសម្រាប់អ្វី។", "មិនមានអ្វីត្រូវបង់ទៀតទេ។"),
        State.PARTLY_REFUNDED: ("បានបង់រួច ហើយបានផ្ញើត្រឡប់វិញមួយផ្នែក", "ហាងបានផ្ញើប្រាក់របស់អ្នកមួយផ្នែកត្រឡប់វិញ។ បង្កាន់ដៃខាងក្រោមប្រាប់ចំនួន។ បើមិនឃើញប្រាក់ក្នុងកម្មវិធីធនាគាររបស់អ្នកទេ សូមបង្ហាញទំព័រនេះទៅហាង។", "មិនមានអ្វីត្រូវបង់ទៀតទេ។"),
        State.REVIEW: ("ហាងកំពុងពិនិត្យការបង់ប្រាក់នេះ", "មានអ្វីមួយខុសពីអ្វីដែលបានស្នើ ដូចជាចំនួនទឹកប្រាក់ ឬពេលវេលា។ សូមបង្ហាញទំព័រនេះទៅហាង ជាមួយលេខខាងក្រោម។", "សូមកុំបង់ម្តងទៀត។ ប្រាក់របស់អ្នកមិនបាត់ទេ។"),
        State.FAILED: ("ធនាគារប្រាប់ថាការផ្ទេរប្រាក់មិនបានជោគជ័យ", "សូមមើលក្នុងកម្មវិធីធនាគាររបស់អ្នក។ បើប្រាក់នៅក្នុងគណនីដដែល សូមស្កេនកូដម្តងទៀត។", "បើប្រាក់បានចេញពីគណនីហើយ សូមកុំបង់ម្តងទៀត៖ សូមបង្ហាញទំព័រនេះទៅហាង។"),
        State.CLOSING: ("កូដនេះផុតកំណត់ហើយ", "យើងនៅតែរកមើលថាតើអ្នកបានបង់ឬនៅ។ បន្តិចទៀត អ្នកអាចបង្កើតកូដថ្មីនៅទីនេះ។", "សូមកុំបង់តាមកូដចាស់។ បើអ្នកបានបង់រួចហើយ សូមកុំបង់ម្តងទៀត។"),
        State.EXPIRED: ("កូដនេះផុតកំណត់ហើយ", "បើអ្នកមិនទាន់បានបង់ សូមបង្កើតកូដថ្មី។ បើអ្នកបានបង់រួចហើយ សូមរង់ចាំ៖ យើងបន្តរកមើលប្រាក់របស់អ្នក។", "សូមកុំបង់តាមកូដចាស់។ បើអ្នកបានបង់រួចហើយ សូមកុំបង់ម្តងទៀត។"),
        State.ASK_SHOP: ("កូដនេះផុតកំណត់ហើយ", "បើអ្នកមិនទាន់បានបង់ សូមសុំកូដថ្មីពីហាង។ បើអ្នកបានបង់រួចហើយ សូមរង់ចាំ៖ យើងបន្តរកមើលប្រាក់របស់អ្នក។", "សូមកុំបង់តាមកូដចាស់។ បើអ្នកបានបង់រួចហើយ សូមកុំបង់ម្តងទៀត។"),
        State.CANCELLED: ("ការបង់ប្រាក់នេះត្រូវបានលុបចោល", "បើអ្នកចង់បង់ សូមសុំកូដថ្មីពីហាង។ បើអ្នកបានបង់រួចហើយ សូមបង្ហាញទំព័រនេះទៅហាង។", "សូមកុំបង់តាមកូដចាស់។"),
        State.REPLACED: ("កូដថ្មីបានជំនួសកូដនេះ", "សូមទៅកាន់កូដថ្មី។ បើអ្នកបានបង់តាមកូដនេះរួចហើយ សូមបង្ហាញទំព័រនេះទៅហាង។", "សូមកុំបង់តាមកូដចាស់។ បើអ្នកបានបង់រួចហើយ សូមកុំបង់ម្តងទៀត។"),
        State.REFUNDED: ("ហាងបានផ្ញើប្រាក់របស់អ្នកត្រឡប់វិញ", "សូមមើលក្នុងកម្មវិធីធនាគាររបស់អ្នក។ បើមិនឃើញប្រាក់ទេ សូមបង្ហាញទំព័រនេះទៅហាង។", "សូមកុំបង់តាមកូដនេះម្តងទៀត។"),
    },
}

WORDS: dict[str, dict[str, str]] = {
    ENGLISH: {
        "pay": "Pay", "enter": "The amount that you want to pay", "bounds": "From {least} to {most}",
        "link_over": "This link doesn't sell anything now. Ask the shop for a new one.",
        "link_how": "The next page shows a KHQR code for you alone. Any bank app that reads KHQR can pay it.",
        "language": "ភាសាខ្មែរ", "code": "KHQR code to scan",
        "on_phone": "Open the code in Bakong, or save the card and scan it in another bank app. Confirm the amount there.",
        "open": "Open in Bakong", "opening": "Opening…",
        "no_link": "Bakong doesn't answer now. Save the card instead.",
        "save": "Save the card as a picture",
        "save_how": "This works with every bank app: save the card, and in the app scan it from your gallery.",
        "have_paid": "I have paid", "asking": "Asking the bank…",
        "new_code": "I haven't paid: make a new code", "to_new_code": "Go to the new code",
        "expires_in": "The code expires in", "expires_at": "The code can be paid until",
        "print": "Print the receipt", "back": "Back to the shop", "receipt": "Receipt",
        "number": "Number", "what": "For", "amount": "Amount", "refunded": "Refunded", "kept": "Left with the shop", "time": "Time in Phnom Penh", "payer": "Paid from", "shop": "Shop",
        "offline": "You are offline. The page goes on as soon as you are back.",
        "by_reload": "This page reloads every 15 seconds.",
        "gone_title": "There is nothing here", "gone": "The address is wrong, or it has expired. Ask the shop for a new one.",
        "gone_dont": "Don't pay a code that you kept from here.",
        "busy_title": "The page can't be shown right now", "busy": "Come back in a moment. If you have paid, your money isn't lost.",
        "busy_dont": "Don't pay a second time.",
        "refused_title": "There can be no new code now", "refused": "Ask the shop for a new code. If you have paid, your money isn't lost.",
        "refused_dont": "If you have paid, don't pay again.",
    },
    KHMER: {
        "pay": "បង់ប្រាក់", "enter": "ចំនួនទឹកប្រាក់ដែលអ្នកចង់បង់", "bounds": "ចាប់ពី {least} ដល់ {most}",
        "link_over": "តំណនេះលែងលក់អ្វីទៀតហើយ។ សូមសុំតំណថ្មីពីហាង។",
        "link_how": "ទំព័របន្ទាប់នឹងបង្ហាញកូដ KHQR សម្រាប់តែអ្នក។ កម្មវិធីធនាគារណាមួយដែលអាន KHQR អាចបង់បាន។",
        "language": "English", "code": "កូដ KHQR សម្រាប់ស្កេន",
        "on_phone": "សូមបើកកូដក្នុង Bakong ឬរក្សាទុកកាត រួចស្កេនវាក្នុងកម្មវិធីធនាគារផ្សេង។ សូមបញ្ជាក់ចំនួនទឹកប្រាក់នៅទីនោះ។",
        "open": "បើកក្នុង Bakong", "opening": "កំពុងបើក…",
        "no_link": "Bakong មិនឆ្លើយទេឥឡូវនេះ។ សូមរក្សាទុកកាតជំនួសវិញ។",
        "save": "រក្សាទុកកាតជារូបភាព",
        "save_how": "វិធីនេះប្រើបានជាមួយកម្មវិធីធនាគារទាំងអស់៖ រក្សាទុកកាត រួចស្កេនវាពីវិចិត្រសាលក្នុងកម្មវិធី។",
        "have_paid": "ខ្ញុំបានបង់រួចហើយ", "asking": "កំពុងសួរទៅធនាគារ…",
        "new_code": "ខ្ញុំមិនទាន់បានបង់៖ បង្កើតកូដថ្មី", "to_new_code": "ទៅកាន់កូដថ្មី",
        "expires_in": "កូដនេះផុតកំណត់ក្នុងរយៈពេល", "expires_at": "កូដនេះអាចបង់បានរហូតដល់ម៉ោង",
        "print": "បោះពុម្ពបង្កាន់ដៃ", "back": "ត្រឡប់ទៅហាង", "receipt": "បង្កាន់ដៃ",
        "number": "លេខ", "what": "សម្រាប់", "amount": "ចំនួនទឹកប្រាក់", "refunded": "បានផ្ញើត្រឡប់វិញ", "kept": "នៅសល់ជាមួយហាង", "time": "ម៉ោងនៅភ្នំពេញ", "payer": "បង់ពី", "shop": "ហាង",
        "offline": "អ្នកគ្មានអ៊ីនធឺណិតទេ។ ទំព័រនេះនឹងបន្តភ្លាម នៅពេលអ្នកភ្ជាប់វិញ។",
        "by_reload": "ទំព័រនេះផ្ទុកឡើងវិញរៀងរាល់ ១៥ វិនាទី។",
        "gone_title": "គ្មានអ្វីនៅទីនេះទេ", "gone": "អាសយដ្ឋាននេះខុស ឬផុតកំណត់ហើយ។ សូមសុំអាសយដ្ឋានថ្មីពីហាង។",
        "gone_dont": "សូមកុំបង់តាមកូដដែលអ្នកបានរក្សាទុកពីទីនេះ។",
        "busy_title": "មិនអាចបង្ហាញទំព័រនេះបានទេនៅពេលនេះ", "busy": "សូមត្រឡប់មកវិញបន្តិចទៀត។ បើអ្នកបានបង់រួចហើយ ប្រាក់របស់អ្នកមិនបាត់ទេ។",
        "busy_dont": "សូមកុំបង់ជាលើកទីពីរ។",
        "refused_title": "មិនអាចបង្កើតកូដថ្មីបានទេឥឡូវនេះ", "refused": "សូមសុំកូដថ្មីពីហាង។ បើអ្នកបានបង់រួចហើយ ប្រាក់របស់អ្នកមិនបាត់ទេ។",
        "refused_dont": "បើអ្នកបានបង់រួចហើយ សូមកុំបង់ម្តងទៀត។",
    },
}
# fmt: on


def language_of(request: Request) -> str:
    """Return the language that the visitor switched to (`?lang=km`), else the one that the browser prefers."""
    chosen = request.query_params.get("lang")
    if chosen in WORDS:
        return chosen
    return preferred(request.headers.get("accept-language", ""))


def preferred(accepted: str) -> str:
    """Return the best language of `Accept-Language`; English if it names neither."""
    best, language = 0.0, ENGLISH
    for part in accepted.split(","):
        name, _, weight = part.strip().partition(";")
        spoken = name.partition("-")[0].strip().lower()
        quality = _quality(weight)
        if spoken in WORDS and quality > best:
            best, language = quality, spoken
    return language


def _quality(weight: str) -> float:
    """Return the weight of one language; 0 if it isn't written as a number."""
    if not weight.strip():
        return 1.0
    name, _, number = weight.partition("=")
    try:
        return float(number) if name.strip() == "q" else 0.0
    except ValueError:
        return 0.0
