# ruff: noqa: E501 - in a table of sentences, each sentence has its line
"""The catalogue: every sentence that the service says in English and in Khmer, both beside each other.

The pages of payers say those under `payer`, and `bakong-service doctor` those under `doctor`. The findings about the way
to Bakong are the SDK's (`bakong_khqr.doctor.findings`), because `khqr doctor` says them without the service; under
`doctor.advice` is what an operator of the service has to do instead. What isn't in the catalogue is in English only.

A state of a payment has three sentences: `title` says what is the case, `do` what the payer should do, and `dont` what
the payer should not do. Above all a payer should not pay twice.
"""

from typing import Final

from bakong_khqr.doctor.findings import Language

ENGLISH: Final[Language] = "en"
KHMER: Final[Language] = "km"
LANGUAGES: Final[tuple[Language, ...]] = (ENGLISH, KHMER)


def text(key: str, language: Language) -> str:
    """Return a text of the catalogue in a language, with its placeholders. Raises `KeyError` for an unknown key."""
    return CATALOGUE[key][LANGUAGES.index(language)]


def texts_below(prefix: str, language: Language) -> dict[str, str]:
    """Return the texts whose keys begin with `prefix`, by the rest of the key."""
    return {key.removeprefix(prefix): text(key, language) for key in CATALOGUE if key.startswith(prefix)}


# fmt: off
CATALOGUE: Final[dict[str, tuple[str, str]]] = {
    # The state of a payment, as its payer sees it
    "payer.state.waiting.title": (
        "Pay with KHQR",
        "បង់ប្រាក់តាម KHQR",
    ),
    "payer.state.waiting.do": (
        "Scan the code with any bank app that reads KHQR, and confirm the amount there.",
        "សូមស្កេនកូដនេះដោយកម្មវិធីធនាគារណាមួយដែលអាន KHQR រួចបញ្ជាក់ចំនួនទឹកប្រាក់នៅទីនោះ។",
    ),
    "payer.state.waiting.dont": (
        "Pay only once. This page changes by itself when your money arrives.",
        "សូមបង់តែម្តងប៉ុណ្ណោះ។ ទំព័រនេះនឹងប្តូរដោយខ្លួនឯង នៅពេលប្រាក់របស់អ្នកមកដល់។",
    ),
    "payer.state.checking.title": (
        "Looking for your payment",
        "កំពុងរកមើលការបង់ប្រាក់របស់អ្នក",
    ),
    "payer.state.checking.do": (
        "We are asking the bank system. This may take a minute.",
        "យើងកំពុងសួរទៅប្រព័ន្ធធនាគារ។ វាអាចចំណាយពេលមួយនាទី។",
    ),
    "payer.state.checking.dont": (
        "Don't pay again.",
        "សូមកុំបង់ម្តងទៀត។",
    ),
    "payer.state.unreachable.title": (
        "The bank system can't be reached right now",
        "មិនអាចភ្ជាប់ទៅប្រព័ន្ធធនាគារបានទេនៅពេលនេះ",
    ),
    "payer.state.unreachable.do": (
        "If you have paid, your money isn't lost: we find it as soon as the bank system answers. You can close this page and come back later.",
        "បើអ្នកបានបង់រួចហើយ ប្រាក់របស់អ្នកមិនបាត់ទេ៖ យើងនឹងរកឃើញភ្លាម នៅពេលប្រព័ន្ធធនាគារឆ្លើយមកវិញ។ អ្នកអាចបិទទំព័រនេះ ហើយត្រឡប់មកវិញពេលក្រោយ។",
    ),
    "payer.state.unreachable.dont": (
        "Don't pay a second time.",
        "សូមកុំបង់ជាលើកទីពីរ។",
    ),
    "payer.state.paid.title": (
        "Paid. Thank you!",
        "បានបង់រួចហើយ។ សូមអរគុណ!",
    ),
    "payer.state.paid.do": (
        "This is your receipt. You can print it, or come back to this page.",
        "នេះជាបង្កាន់ដៃរបស់អ្នក។ អ្នកអាចបោះពុម្ព ឬត្រឡប់មកទំព័រនេះវិញ។",
    ),
    "payer.state.paid.dont": (
        "There is nothing more to pay.",
        "មិនមានអ្វីត្រូវបង់ទៀតទេ។",
    ),
    "payer.state.late.title": (
        "Paid, after the time was over",
        "បានបង់រួច ក្រោយពេលផុតកំណត់",
    ),
    "payer.state.late.do": (
        "Your money came late, and the shop accepts it. This is your receipt.",
        "ប្រាក់របស់អ្នកមកដល់យឺត ហើយហាងបានទទួលយក។ នេះជាបង្កាន់ដៃរបស់អ្នក។",
    ),
    "payer.state.late.dont": (
        "There is nothing more to pay.",
        "មិនមានអ្វីត្រូវបង់ទៀតទេ។",
    ),
    "payer.state.credited.title": (
        "Paid, and kept as credit",
        "បានបង់រួច ហើយរក្សាទុកជាឥណទាន",
    ),
    "payer.state.credited.do": (
        "The shop keeps your money as your credit. Ask the shop what it is used for.",
        "ហាងរក្សាទុកប្រាក់របស់អ្នកជាឥណទានរបស់អ្នក។ សូមសួរហាងថាវាត្រូវប្រើសម្រាប់អ្វី។",
    ),
    "payer.state.credited.dont": (
        "There is nothing more to pay.",
        "មិនមានអ្វីត្រូវបង់ទៀតទេ។",
    ),
    "payer.state.partly_refunded.title": (
        "Paid, and partly refunded",
        "បានបង់រួច ហើយបានផ្ញើត្រឡប់វិញមួយផ្នែក",
    ),
    "payer.state.partly_refunded.do": (
        "The shop sent back a part of your money. The receipt below says how much. If it isn't in your bank app, show this page to the shop.",
        "ហាងបានផ្ញើប្រាក់របស់អ្នកមួយផ្នែកត្រឡប់វិញ។ បង្កាន់ដៃខាងក្រោមប្រាប់ចំនួន។ បើមិនឃើញប្រាក់ក្នុងកម្មវិធីធនាគាររបស់អ្នកទេ សូមបង្ហាញទំព័រនេះទៅហាង។",
    ),
    "payer.state.partly_refunded.dont": (
        "There is nothing more to pay.",
        "មិនមានអ្វីត្រូវបង់ទៀតទេ។",
    ),
    "payer.state.review.title": (
        "The shop is looking at this payment",
        "ហាងកំពុងពិនិត្យការបង់ប្រាក់នេះ",
    ),
    "payer.state.review.do": (
        "Something differs from what was asked for, such as the amount or the time. Show this page to the shop, with the number below.",
        "មានអ្វីមួយខុសពីអ្វីដែលបានស្នើ ដូចជាចំនួនទឹកប្រាក់ ឬពេលវេលា។ សូមបង្ហាញទំព័រនេះទៅហាង ជាមួយលេខខាងក្រោម។",
    ),
    "payer.state.review.dont": (
        "Don't pay again. Your money isn't lost.",
        "សូមកុំបង់ម្តងទៀត។ ប្រាក់របស់អ្នកមិនបាត់ទេ។",
    ),
    "payer.state.failed.title": (
        "The bank says that the transfer failed",
        "ធនាគារប្រាប់ថាការផ្ទេរប្រាក់មិនបានជោគជ័យ",
    ),
    "payer.state.failed.do": (
        "Look in your bank app. If the money is still in your account, scan the code again.",
        "សូមមើលក្នុងកម្មវិធីធនាគាររបស់អ្នក។ បើប្រាក់នៅក្នុងគណនីដដែល សូមស្កេនកូដម្តងទៀត។",
    ),
    "payer.state.failed.dont": (
        "If the money has left your account, don't pay again: show this page to the shop.",
        "បើប្រាក់បានចេញពីគណនីហើយ សូមកុំបង់ម្តងទៀត៖ សូមបង្ហាញទំព័រនេះទៅហាង។",
    ),
    "payer.state.closing.title": (
        "This code has expired",
        "កូដនេះផុតកំណត់ហើយ",
    ),
    "payer.state.closing.do": (
        "We are still looking whether you have paid. In a moment you can make a new code here.",
        "យើងនៅតែរកមើលថាតើអ្នកបានបង់ឬនៅ។ បន្តិចទៀត អ្នកអាចបង្កើតកូដថ្មីនៅទីនេះ។",
    ),
    "payer.state.closing.dont": (
        "Don't pay the old code. If you have paid, don't pay again.",
        "សូមកុំបង់តាមកូដចាស់។ បើអ្នកបានបង់រួចហើយ សូមកុំបង់ម្តងទៀត។",
    ),
    "payer.state.expired.title": (
        "This code has expired",
        "កូដនេះផុតកំណត់ហើយ",
    ),
    "payer.state.expired.do": (
        "If you haven't paid, make a new code. If you have paid, wait: we go on looking for your money.",
        "បើអ្នកមិនទាន់បានបង់ សូមបង្កើតកូដថ្មី។ បើអ្នកបានបង់រួចហើយ សូមរង់ចាំ៖ យើងបន្តរកមើលប្រាក់របស់អ្នក។",
    ),
    "payer.state.expired.dont": (
        "Don't pay the old code. If you have paid, don't pay again.",
        "សូមកុំបង់តាមកូដចាស់។ បើអ្នកបានបង់រួចហើយ សូមកុំបង់ម្តងទៀត។",
    ),
    "payer.state.ask_shop.title": (
        "This code has expired",
        "កូដនេះផុតកំណត់ហើយ",
    ),
    "payer.state.ask_shop.do": (
        "If you haven't paid, ask the shop for a new code. If you have paid, wait: we go on looking for your money.",
        "បើអ្នកមិនទាន់បានបង់ សូមសុំកូដថ្មីពីហាង។ បើអ្នកបានបង់រួចហើយ សូមរង់ចាំ៖ យើងបន្តរកមើលប្រាក់របស់អ្នក។",
    ),
    "payer.state.ask_shop.dont": (
        "Don't pay the old code. If you have paid, don't pay again.",
        "សូមកុំបង់តាមកូដចាស់។ បើអ្នកបានបង់រួចហើយ សូមកុំបង់ម្តងទៀត។",
    ),
    "payer.state.cancelled.title": (
        "This payment was cancelled",
        "ការបង់ប្រាក់នេះត្រូវបានលុបចោល",
    ),
    "payer.state.cancelled.do": (
        "If you want to pay, ask the shop for a new code. If you have paid already, show this page to the shop.",
        "បើអ្នកចង់បង់ សូមសុំកូដថ្មីពីហាង។ បើអ្នកបានបង់រួចហើយ សូមបង្ហាញទំព័រនេះទៅហាង។",
    ),
    "payer.state.cancelled.dont": (
        "Don't pay the old code.",
        "សូមកុំបង់តាមកូដចាស់។",
    ),
    "payer.state.replaced.title": (
        "A newer code took the place of this one",
        "កូដថ្មីបានជំនួសកូដនេះ",
    ),
    "payer.state.replaced.do": (
        "Go to the new code. If you have paid this one, show this page to the shop.",
        "សូមទៅកាន់កូដថ្មី។ បើអ្នកបានបង់តាមកូដនេះរួចហើយ សូមបង្ហាញទំព័រនេះទៅហាង។",
    ),
    "payer.state.replaced.dont": (
        "Don't pay the old code. If you have paid it, don't pay again.",
        "សូមកុំបង់តាមកូដចាស់។ បើអ្នកបានបង់រួចហើយ សូមកុំបង់ម្តងទៀត។",
    ),
    "payer.state.refunded.title": (
        "The shop sent your money back",
        "ហាងបានផ្ញើប្រាក់របស់អ្នកត្រឡប់វិញ",
    ),
    "payer.state.refunded.do": (
        "Look in your bank app. If the money isn't there, show this page to the shop.",
        "សូមមើលក្នុងកម្មវិធីធនាគាររបស់អ្នក។ បើមិនឃើញប្រាក់ទេ សូមបង្ហាញទំព័រនេះទៅហាង។",
    ),
    "payer.state.refunded.dont": (
        "Don't pay this code again.",
        "សូមកុំបង់តាមកូដនេះម្តងទៀត។",
    ),
    # The words around the state
    "payer.page.pay": (
        "Pay",
        "បង់ប្រាក់",
    ),
    "payer.page.enter": (
        "The amount that you want to pay",
        "ចំនួនទឹកប្រាក់ដែលអ្នកចង់បង់",
    ),
    "payer.page.bounds": (
        "From {least} to {most}",
        "ចាប់ពី {least} ដល់ {most}",
    ),
    "payer.page.link_over": (
        "This link doesn't sell anything now. Ask the shop for a new one.",
        "តំណនេះលែងលក់អ្វីទៀតហើយ។ សូមសុំតំណថ្មីពីហាង។",
    ),
    "payer.page.link_how": (
        "The next page shows a KHQR code for you alone. Any bank app that reads KHQR can pay it.",
        "ទំព័របន្ទាប់នឹងបង្ហាញកូដ KHQR សម្រាប់តែអ្នក។ កម្មវិធីធនាគារណាមួយដែលអាន KHQR អាចបង់បាន។",
    ),
    "payer.page.language": (
        "ភាសាខ្មែរ",
        "English",
    ),
    "payer.page.code": (
        "KHQR code to scan",
        "កូដ KHQR សម្រាប់ស្កេន",
    ),
    "payer.page.on_phone": (
        "Open the code in your bank app, and confirm the amount there.",
        "សូមបើកកូដក្នុងកម្មវិធីធនាគាររបស់អ្នក រួចបញ្ជាក់ចំនួនទឹកប្រាក់នៅទីនោះ។",
    ),
    "payer.page.open": (
        "Open in Bakong",
        "បើកក្នុង Bakong",
    ),
    "payer.page.opening": (
        "Opening…",
        "កំពុងបើក…",
    ),
    "payer.page.no_link": (
        "Bakong doesn't answer now. Save the card instead.",
        "Bakong មិនឆ្លើយទេឥឡូវនេះ។ សូមរក្សាទុកកាតជំនួសវិញ។",
    ),
    "payer.page.save": (
        "Save the card as a picture",
        "រក្សាទុកកាតជារូបភាព",
    ),
    "payer.page.save_how": (
        "This works with every bank app: save the card, and in the app scan it from your gallery.",
        "វិធីនេះប្រើបានជាមួយកម្មវិធីធនាគារទាំងអស់៖ រក្សាទុកកាត រួចស្កេនវាពីវិចិត្រសាលក្នុងកម្មវិធី។",
    ),
    "payer.page.have_paid": (
        "I have paid",
        "ខ្ញុំបានបង់រួចហើយ",
    ),
    "payer.page.asking": (
        "Asking the bank…",
        "កំពុងសួរទៅធនាគារ…",
    ),
    "payer.page.new_code": (
        "I haven't paid: make a new code",
        "ខ្ញុំមិនទាន់បានបង់៖ បង្កើតកូដថ្មី",
    ),
    "payer.page.to_new_code": (
        "Go to the new code",
        "ទៅកាន់កូដថ្មី",
    ),
    "payer.page.expires_in": (
        "The code expires in",
        "កូដនេះផុតកំណត់ក្នុងរយៈពេល",
    ),
    "payer.page.expires_at": (
        "The code can be paid until",
        "កូដនេះអាចបង់បានរហូតដល់ម៉ោង",
    ),
    "payer.page.print": (
        "Print the receipt",
        "បោះពុម្ពបង្កាន់ដៃ",
    ),
    "payer.page.back": (
        "Back to the shop",
        "ត្រឡប់ទៅហាង",
    ),
    "payer.page.receipt": (
        "Receipt",
        "បង្កាន់ដៃ",
    ),
    "payer.page.number": (
        "Number",
        "លេខ",
    ),
    "payer.page.what": (
        "For",
        "សម្រាប់",
    ),
    "payer.page.amount": (
        "Amount",
        "ចំនួនទឹកប្រាក់",
    ),
    "payer.page.refunded": (
        "Refunded",
        "បានផ្ញើត្រឡប់វិញ",
    ),
    "payer.page.kept": (
        "Left with the shop",
        "នៅសល់ជាមួយហាង",
    ),
    "payer.page.time": (
        "Time in Phnom Penh",
        "ម៉ោងនៅភ្នំពេញ",
    ),
    "payer.page.payer": (
        "Paid from",
        "បង់ពី",
    ),
    "payer.page.shop": (
        "Shop",
        "ហាង",
    ),
    "payer.page.offline": (
        "You are offline. The page goes on as soon as you are back.",
        "អ្នកគ្មានអ៊ីនធឺណិតទេ។ ទំព័រនេះនឹងបន្តភ្លាម នៅពេលអ្នកភ្ជាប់វិញ។",
    ),
    "payer.page.by_reload": (
        "This page reloads every 15 seconds.",
        "ទំព័រនេះផ្ទុកឡើងវិញរៀងរាល់ ១៥ វិនាទី។",
    ),
    "payer.page.gone_title": (
        "There is nothing here",
        "គ្មានអ្វីនៅទីនេះទេ",
    ),
    "payer.page.gone": (
        "The address is wrong, or it has expired. Ask the shop for a new one.",
        "អាសយដ្ឋាននេះខុស ឬផុតកំណត់ហើយ។ សូមសុំអាសយដ្ឋានថ្មីពីហាង។",
    ),
    "payer.page.gone_dont": (
        "Don't pay a code that you kept from here.",
        "សូមកុំបង់តាមកូដដែលអ្នកបានរក្សាទុកពីទីនេះ។",
    ),
    "payer.page.busy_title": (
        "The page can't be shown right now",
        "មិនអាចបង្ហាញទំព័រនេះបានទេនៅពេលនេះ",
    ),
    "payer.page.busy": (
        "Come back in a moment. If you have paid, your money isn't lost.",
        "សូមត្រឡប់មកវិញបន្តិចទៀត។ បើអ្នកបានបង់រួចហើយ ប្រាក់របស់អ្នកមិនបាត់ទេ។",
    ),
    "payer.page.busy_dont": (
        "Don't pay a second time.",
        "សូមកុំបង់ជាលើកទីពីរ។",
    ),
    "payer.page.refused_title": (
        "There can be no new code now",
        "មិនអាចបង្កើតកូដថ្មីបានទេឥឡូវនេះ",
    ),
    "payer.page.refused": (
        "Ask the shop for a new code. If you have paid, your money isn't lost.",
        "សូមសុំកូដថ្មីពីហាង។ បើអ្នកបានបង់រួចហើយ ប្រាក់របស់អ្នកមិនបាត់ទេ។",
    ),
    "payer.page.refused_dont": (
        "If you have paid, don't pay again.",
        "បើអ្នកបានបង់រួចហើយ សូមកុំបង់ម្តងទៀត។",
    ),
    # What the doctor found about the service itself
    "doctor.settings_right": (
        "The settings can be used; the mode is {mode}.",
        "ការកំណត់អាចប្រើបាន ហើយរបៀបគឺ {mode}។",
    ),
    "doctor.settings_wrong": (
        "A setting is wrong: {reason}",
        "ការកំណត់មួយខុស៖ {reason}",
    ),
    "doctor.settings_wrong.advice": (
        "Correct it. `bakong-service init --help` says how to get a file with every setting and its meaning.",
        "សូមកែវា។ `bakong-service init --help` ប្រាប់របៀបយកឯកសារដែលមានការកំណត់ទាំងអស់ និងអត្ថន័យរបស់វា។",
    ),
    "doctor.database_right": (
        "The database answers, and has this version's schema.",
        "Database ឆ្លើយ ហើយមាន schema របស់កំណែនេះ។",
    ),
    "doctor.database_unreachable": (
        "The database can't be used now: {reason}",
        "មិនអាចប្រើ database បានទេនៅពេលនេះ៖ {reason}",
    ),
    "doctor.database_unreachable.advice": (
        "Check that it runs, and that DATABASE_URL names its address, its user and its password.",
        "សូមពិនិត្យថាវាកំពុងដំណើរការ ហើយ DATABASE_URL មានអាសយដ្ឋាន អ្នកប្រើ និងពាក្យសម្ងាត់ត្រឹមត្រូវ។",
    ),
    "doctor.schema_differs": (
        "The database's schema isn't the one of this version: {reason}",
        "Schema របស់ database មិនមែនរបស់កំណែនេះទេ៖ {reason}",
    ),
    "doctor.schema_differs.advice": (
        "If the database is new, run `bakong-service migrate`. If it is older, take a backup first.",
        "បើ database ថ្មី សូមប្រើ `bakong-service migrate`។ បើវាចាស់ជាង សូមបម្រុងទុក (backup) ជាមុនសិន។",
    ),
    "doctor.database_unfit": (
        "The service must not use this database: {reason}",
        "សេវាមិនត្រូវប្រើ database នេះទេ៖ {reason}",
    ),
    "doctor.database_unfit.advice": (
        "Check DATABASE_URL, MODE and ENCRYPTION_KEY. A database belongs to one mode and to its keys.",
        "សូមពិនិត្យ DATABASE_URL MODE និង ENCRYPTION_KEY។ Database មួយជារបស់របៀបតែមួយ និងសោរបស់វា។",
    ),
    "doctor.email_missing": (
        "BAKONG_EMAIL isn't set, so the service can't renew the token.",
        "BAKONG_EMAIL មិនទាន់បានកំណត់ទេ ដូច្នេះសេវាមិនអាចបន្តថូខឹនបានទេ។",
    ),
    "doctor.email_missing.advice": (
        "Set it to the email address that the token was registered with.",
        "សូមកំណត់វាជាអ៊ីមែលដែលថូខឹនបានចុះឈ្មោះ។",
    ),
    "doctor.budget_spent": (
        "Today's calls to Bakong are used up, so the token wasn't tried.",
        "ចំនួនសួរប្រចាំថ្ងៃអស់ហើយ ដូច្នេះថូខឹនមិនត្រូវបានសាកទេ។",
    ),
    "doctor.budget_spent.advice": (
        "Run this again tomorrow (Phnom Penh time). `bakong-service budget` shows the calls of the day.",
        "សូមដំណើរការម្តងទៀតនៅថ្ងៃស្អែក (ម៉ោងភ្នំពេញ)។ `bakong-service budget` បង្ហាញចំនួនសួរនៃថ្ងៃនេះ។",
    ),
    # What an operator of the service has to do about a finding of the SDK's doctor
    "doctor.advice.token_ends_soon": (
        "With BAKONG_EMAIL, the service renews it by itself. Without it, renew it, and set BAKONG_DEVELOPER_TOKEN.",
        "បើមាន BAKONG_EMAIL សេវាបន្តវាដោយខ្លួនឯង។ បើគ្មានទេ សូមបន្តថូខឹន រួចកំណត់ BAKONG_DEVELOPER_TOKEN។",
    ),
    "doctor.advice.token_expired": (
        "Get a new token (khqr token renew), set BAKONG_DEVELOPER_TOKEN to it, and start the service again.",
        "សូមយកថូខឹនថ្មី (khqr token renew) កំណត់ BAKONG_DEVELOPER_TOKEN រួចចាប់ផ្តើមសេវាឡើងវិញ។",
    ),
    "doctor.advice.token_refused": (
        "A newer token replaced it, or a part of it is missing. Get a new one (khqr token renew), and set BAKONG_DEVELOPER_TOKEN.",
        "ថូខឹននេះត្រូវបានជំនួសដោយថូខឹនថ្មី ឬមិនពេញលេញ។ សូមយកថូខឹនថ្មី (khqr token renew) រួចកំណត់ BAKONG_DEVELOPER_TOKEN។",
    ),
    "doctor.advice.quota_spent": (
        "The service waits by itself until midnight in Phnom Penh. Send hints, and ask NBC for a larger quota.",
        "សេវារង់ចាំដោយខ្លួនឯងរហូតដល់ពាក់កណ្តាលអធ្រាត្រម៉ោងភ្នំពេញ។ សូមផ្ញើ hint ហើយស្នើ NBC បង្កើនចំនួនសួរប្រចាំថ្ងៃ។",
    ),
    "doctor.advice.list_closed": (
        "Nothing has to be done: the service asks about one payment at a time.",
        "មិនចាំបាច់ធ្វើអ្វីទេ៖ សេវាសួរអំពីការបង់ប្រាក់ម្តងមួយៗ។",
    ),
}
# fmt: on
