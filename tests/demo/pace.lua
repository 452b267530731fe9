-- wrk: each connection waits PACE_MS, half of it more or less, between two requests.
local pace = tonumber(os.getenv("PACE_MS") or "10")
function delay()
   return math.random(math.floor(pace / 2), math.ceil(pace * 3 / 2))
end
