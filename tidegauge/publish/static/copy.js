// The buttons that copy a command. Where the clipboard is refused, as on plain HTTP, the command is selected for the viewer's own keys.
"use strict";
(() => {
    const SHOWN_MS = 4000;
    const keys = navigator.platform.startsWith("Mac") ? "⌘C" : "Ctrl+C";

    async function copy(code) {
        try {
            await navigator.clipboard.writeText(code.textContent);
            return "Copied";
        } catch {
            getSelection().selectAllChildren(code);
            return `Press ${keys}`;
        }
    }

    function offer(command, status) {
        const button = command.querySelector("button");
        let timer = null;
        button.hidden = false;
        button.addEventListener("click", async () => {
            const said = await copy(command.querySelector("code"));
            button.textContent = said;
            status.textContent = said === "Copied" ? "It is in the clipboard." : `It is selected: press ${keys} to copy it.`;
            clearTimeout(timer);
            timer = setTimeout(() => {
                button.textContent = "Copy";
                status.textContent = "";
            }, SHOWN_MS);
        });
    }

    for (const command of document.querySelectorAll(".command")) offer(command, document.getElementById("copied"));
    // The address as this browser knows it; the server cannot know that.
    for (const one of document.querySelectorAll(".address")) one.textContent = new URL(document.body.dataset.root, location).href.split(/[?#]/)[0];
})();
