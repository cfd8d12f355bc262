-- What mod_sasl2 of prosody-modules, and those that build on it, expect of Prosody and 0.12 does
-- not have. Nothing of SASL2 itself is here.

-- What TLS a connection has, as a method of its own.
-- The header of the stream whose features are made: only who says in it who is there is offered FAST.
module:hook("stream-features", function (event)
	local conn = event.origin.conn;
	conn.ssl_info = conn.ssl_info or function () return conn:socket():info(); end
	event.stream = event.stream or { from = "anybody@" .. module.host };
end, 100);

-- That a stream which has a resource is not offered another.
module:hook("stream-features", function (event)
	if not event.origin.resource then return; end
	event.features:maptags(function (feature)
		if feature.name ~= "bind" then return feature; end
	end);
end, -100);

-- Dates of moments between two seconds.
local dates = require "util.datetime";
local datetime = dates.datetime;
function dates.datetime(moment)
	return datetime(moment and math.floor(moment));
end

local stanza = require "util.stanza".stanza_mt;
function stanza:get_child_attr(name, xmlns, attribute)
	local child = self:get_child(name, xmlns);
	return child and child.attr[attribute];
end
