package smb

import "rollcall/internal/protocol"

// replies are what a status means that ends a login ([MS-ERREF] 2.3). Those of
// Samba 4.17 were tried with the right value and a wrong one; the others are
// Windows' own, and stand as in the table for a domain's binds
// (internal/directory/adlogin). LOGON_FAILURE is everything else: wrong,
// unknown, gone from the name service, and the directory behind is down.
var replies = map[uint32]protocol.Reply{
	0xC000006D: protocol.Refused,         // STATUS_LOGON_FAILURE
	0xC000006A: protocol.Refused,         // STATUS_WRONG_PASSWORD
	0xC0000064: protocol.Gone,            // STATUS_NO_SUCH_USER
	0xC0000234: protocol.Locked,          // STATUS_ACCOUNT_LOCKED_OUT, whatever the value
	0xC000006E: protocol.NotThisWay,      // STATUS_ACCOUNT_RESTRICTION: no NTLM for it, whatever the value
	0xC0000072: protocol.Restricted,      // STATUS_ACCOUNT_DISABLED, to the right value alone
	0xC0000193: protocol.Restricted,      // STATUS_ACCOUNT_EXPIRED, likewise
	0xC000006F: protocol.Restricted,      // STATUS_INVALID_LOGON_HOURS
	0xC0000070: protocol.Restricted,      // STATUS_INVALID_WORKSTATION
	0xC000015B: protocol.Restricted,      // STATUS_LOGON_TYPE_NOT_GRANTED: no right to log in by network
	0xC0000224: protocol.MustChange,      // STATUS_PASSWORD_MUST_CHANGE, to the right value alone
	0xC0000071: protocol.PasswordExpired, // STATUS_PASSWORD_EXPIRED, likewise
	0xC000005E: protocol.Unreachable,     // STATUS_NO_LOGON_SERVERS: its domain is down
	0xC000018D: protocol.Unreachable,     // STATUS_TRUSTED_RELATIONSHIP_FAILURE
	0xC00000DC: protocol.Unreachable,     // STATUS_INVALID_SERVER_STATE
	0xC00000D0: protocol.TooMany,         // STATUS_REQUEST_NOT_ACCEPTED
	0xC000009A: protocol.TooMany,         // STATUS_INSUFFICIENT_RESOURCES
}

// answered is what a status means that answers the value.
func answered(status uint32) protocol.Reply {
	if means, known := replies[status]; known {
		return means
	}
	// STATUS_ACCESS_DENIED is said of guests who would have to sign, and so of
	// wrong values; STATUS_NTLM_BLOCKED of everybody.
	return protocol.NotThisWay
}

// early is what one means that comes before the value: no verdict on it.
func early(status uint32) protocol.Reply {
	if means := answered(status); means == protocol.TooMany || means == protocol.Unreachable {
		return means
	}
	return protocol.NotThisWay
}
