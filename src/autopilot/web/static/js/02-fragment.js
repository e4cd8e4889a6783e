"use strict";
/* What stands behind # in the address: anybody may have written it, and not all of it can be decoded. */
const fragment = () => { const written = location.hash.slice(1); try { return decodeURIComponent(written); } catch { return written; } };
