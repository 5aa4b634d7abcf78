/*
 * tap.js: tests as TAP on stdout, and waiting for what has to come true.
 */
/* A generous deadline, which only a failing test meets: nothing is timed here. */
export const PATIENCE_MS = 120000;

let count = 0;
let failed = 0;

/* Whatever was said, as TAP comments. */
export function note(text) {
    for (const line of String(text).split('\n')) console.log(`# ${line}`);
}

/* One test: passed unless body throws. */
export async function test(sentence, body) {
    count++;
    try {
        await body();
        console.log(`ok ${count} - ${sentence}`);
    } catch (error) {
        failed++;
        note(error.stack ?? error);
        console.log(`not ok ${count} - ${sentence}`);
    }
}

export function failures() {
    return failed;
}

/* The plan. True when all is well. */
export function finish() {
    console.log(`1..${count}`);
    return failed === 0 && count > 0;
}

/* What look() gives as soon as that is true. */
export async function until(what, look, deadlineMs = PATIENCE_MS) {
    const end = Date.now() + deadlineMs;
    for (;;) {
        const found = await look();
        if (found) return found;
        if (Date.now() > end) throw new Error(`waited in vain until ${what}`);
        await new Promise((resolve) => setTimeout(resolve, 10));
    }
}
