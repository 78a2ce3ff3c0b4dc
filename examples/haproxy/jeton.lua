-- Asks jeton whether a request may pass, and answers it if not.
--
-- Only what is set here reaches jeton: nothing of the client's but its secret. Whatever goes wrong, the request is
-- refused; haproxy.cfg lets nothing through that was not named here.

-- Through the section `listen jeton` of haproxy.cfg.
local JETON = { url = "http://jeton/verify/x-forwarded", dst = "abns@jeton" }
local NAMES = { "subject", "token-id", "kind", "account", "email", "scopes", "expires" }
-- What of a refusal is handed to the client.
local HANDED_ON = { "content-type", "www-authenticate", "retry-after", "cache-control" }

local function first(headers, name)
    local values = headers and headers[name]
    return values and values[0]
end

local function ask(txn)
    local sent = txn.http:req_get_headers()
    local asked = {
        ["x-forwarded-method"] = { txn.sf:method() },
        -- As the client wrote it: path and query, not decoded.
        ["x-forwarded-uri"] = { txn.sf:pathq() },
        ["x-forwarded-for"] = { txn.sf:src() },
    }
    for _, name in ipairs({ "authorization", "private-token" }) do
        local value = first(sent, name)
        if value then
            asked[name] = { value }
        end
    end
    return core.httpclient():get({ url = JETON.url, dst = JETON.dst, headers = asked, timeout = 5000 })
end

local function refuse(txn, status, headers, body)
    local reply = txn:reply({ status = status, body = body })
    for name, value in pairs(headers) do
        reply:add_header(name, value)
    end
    txn:done(reply)
end

local function answer_of(txn)
    local fine, answer = pcall(ask, txn)
    if not fine or not answer or not answer.status then
        return { status = 0 }
    end
    return answer
end

core.register_action("jeton", { "http-req" }, function(txn)
    local answer = answer_of(txn)
    -- A good answer names somebody. Whatever else says 200 is not jeton.
    if answer.status == 200 and first(answer.headers, "x-jeton-subject") then
        for _, name in ipairs(NAMES) do
            txn:set_var("txn.jeton." .. name:gsub("-", "_"), first(answer.headers, "x-jeton-" .. name) or "-")
        end
    elseif answer.status >= 400 and answer.status < 500 then
        local headers = {}
        for _, name in ipairs(HANDED_ON) do
            headers[name] = first(answer.headers, name)
        end
        refuse(txn, answer.status, headers, answer.body or "")
    else
        refuse(txn, 503, { ["retry-after"] = "1" }, "Tokens can't be checked at the moment\n")
    end
end, 0)
