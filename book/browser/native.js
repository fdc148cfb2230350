// The reference, natively: the example `native` of book/wasm, asked line by line.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { join } from "node:path";
import { root } from "./book.js";

/** A running example; `ask` sends a line and gives the line that answers it. */
export function native() {
    const child = spawn(process.env.PPO_NATIVE ?? join(root, "target/release/examples/native"), { stdio: ["pipe", "pipe", "inherit"] });
    const waiting = [];
    createInterface({ input: child.stdout }).on("line", (line) => waiting.shift()?.(line));
    child.on("exit", (code) => { for (const done of waiting) done(`! the example ended with ${code}`); });
    const ask = (line) => new Promise((done) => { waiting.push(done); child.stdin.write(`${line}\n`); });
    const number = (word) => (word === "inf" ? Infinity : word === "-inf" ? -Infinity : Number(word));

    return {
        /** The lists that a call answers, or its sentence. */
        async call(name, inputs) {
            const flat = inputs.flatMap((input) => (Array.isArray(input) ? [input.length, ...input] : [input]));
            const answer = await ask([name, ...flat.map((x) => (Object.is(x, -0) ? "-0" : String(x)))].join(" "));
            if (answer.startsWith("! ")) return { sentence: answer.slice(2) };
            const numbers = answer.split(" ").slice(1).map(number);
            const lists = [];
            for (let at = 0; at < numbers.length;) {
                const length = numbers[at++];
                lists.push(numbers.slice(at, at += length));
            }
            return { lists };
        },
        /** A number with so many decimals, as the page should write it. */
        async show(x, decimals) {
            const text = await ask(`show ${decimals} ${x}`);
            return text.replace(/^-(?=[0.]*$)/, "").replace("-", "−").replace("inf", "∞");
        },
        stop() { child.stdin.end(); },
    };
}
