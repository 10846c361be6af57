// Loaded before BokehJS, so that it works under a strict Content-Security-Policy.
"use strict";
(() => {
    // BokehJS makes about 2,000 <style> elements in shadow roots; each needs the page's nonce.
    const {nonce} = document.currentScript;
    const createElement = Document.prototype.createElement;
    Document.prototype.createElement = function (name, options) {
        const element = createElement.call(this, name, options);
        if (element instanceof HTMLStyleElement) element.nonce = nonce;
        return element;
    };

    // Its hover tool parses templates by DOMParser, which trusted types allow by this policy alone.
    if (window.trustedTypes) {
        const policy = window.trustedTypes.createPolicy("bokehjs", {createHTML: (text) => text});
        const parse = DOMParser.prototype.parseFromString;
        DOMParser.prototype.parseFromString = function (text, type) {
            return parse.call(this, policy.createHTML(text), type);
        };
    }
})();
