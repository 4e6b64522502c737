// npm `bakong-khqr` (official) and `ts-khqr`: `node node.cjs PACKAGE SECONDS` prints the rates as JSON.

const BATCH = 200;

function rate(operation, seconds) {
    for (let i = 0; i < 20 * BATCH; i++) operation(); // until the compiler has seen it
    const began = process.hrtime.bigint();
    let count = 0;
    let passed = 0;
    while (passed < seconds) {
        for (let i = 0; i < BATCH; i++) operation();
        count += BATCH;
        passed = Number(process.hrtime.bigint() - began) / 1e9;
    }
    return count / passed;
}

const labels = { mobileNumber: "85512345678", billNumber: "INV-0042", storeLabel: "Riverside", terminalLabel: "POS-01" };

function official() {
    const { BakongKHQR, khqrData, IndividualInfo } = require("bakong-khqr");
    const encode = (minutes = 10) =>
        new BakongKHQR().generateIndividual(
            new IndividualInfo("sokha@aclb", "Sokha Coffee", "Phnom Penh", {
                currency: khqrData.currency.usd,
                amount: 10.5,
                expirationTimestamp: Date.now() + minutes * 60000,
                ...labels,
            }),
        ).data;
    const payload = encode(60).qr;
    if (!BakongKHQR.verify(payload).isValid) throw new Error("the official SDK refuses its own payload");
    return {
        encode: () => encode().md5,
        decode: () => BakongKHQR.decode(payload),
        verify: () => BakongKHQR.verify(payload),
    };
}

function ts() {
    const { KHQR, CURRENCY, TAG } = require("ts-khqr");
    const encode = (minutes = 10) =>
        KHQR.generate({
            tag: TAG.INDIVIDUAL,
            accountID: "sokha@aclb",
            merchantName: "Sokha Coffee",
            merchantCity: "Phnom Penh",
            currency: CURRENCY.USD,
            amount: 10.5,
            expirationTimestamp: Date.now() + minutes * 60000,
            additionalData: labels,
        }).data;
    const payload = encode(60).qr;
    if (!KHQR.verify(payload).isValid) throw new Error("ts-khqr refuses its own payload");
    return { encode: () => encode().md5, decode: () => KHQR.parse(payload), verify: () => KHQR.verify(payload) };
}

const operations = process.argv[2] === "ts-khqr" ? ts() : official();
const seconds = Number(process.argv[3]);
console.log(JSON.stringify(Object.fromEntries(Object.entries(operations).map(([name, one]) => [name, rate(one, seconds)]))));
