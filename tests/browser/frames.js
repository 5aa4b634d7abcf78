/*
 * frames.js: counts the WebSocket frames that pass by in one direction.
 */
export class Frames {
    constructor() {
        this.messages = 0; // whole ones
        this.fragments = 0; // data frames
        this.compressed = 0; // messages, those that have begun
        this.closed = false; // a Close has come
        this.rest = Buffer.alloc(0);
        this.left = 0; // of the payload of the frame under way
        this.last = false; // that frame ends a message
    }

    /* The bytes that come next, cut anywhere. */
    add(bytes) {
        this.rest = Buffer.concat([this.rest, bytes]);
        while (this.skip() && this.head());
    }

    /* Passes over the payload. False: not all of it is here. */
    skip() {
        const here = Math.min(this.left, this.rest.length);
        this.rest = this.rest.subarray(here);
        this.left -= here;
        if (this.left > 0) return false;
        if (this.last) this.messages++;
        this.last = false;
        return true;
    }

    /* Takes the head of the next frame. False: not all of it is here. */
    head() {
        if (this.rest.length < 2) return false;
        const [first, second] = this.rest;
        const extended = { 126: 2, 127: 8 }[second & 127] ?? 0;
        const length = 2 + extended + (second & 128 ? 4 : 0);
        if (this.rest.length < length) return false;
        if (extended === 0) this.left = second & 127;
        else if (extended === 2) this.left = this.rest.readUInt16BE(2);
        else this.left = Number(this.rest.readBigUInt64BE(2));
        this.rest = this.rest.subarray(length);
        if (first & 8) {
            this.closed ||= (first & 15) === 8;
            return true;
        }
        this.fragments++;
        if (first & 64) this.compressed++;
        this.last = (first & 128) !== 0;
        return true;
    }
}
