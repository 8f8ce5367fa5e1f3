package postgres

import (
	"strings"

	"rollcall/internal/protocol"
)

// Codes of PostgreSQL 15, appendix A, that are read here.
const (
	codeInvalidPassword      = "28P01"
	codeInvalidAuthorization = "28000"
	codeInsufficientRight    = "42501"
	codeNoRole               = "42704"
	codeNoFunction           = "42883"
	codeNoSchema             = "3F000"
	codeReservedName         = "42939"
	codeReadOnly             = "25006"
	codeTooManyConnections   = "53300"
	codeLocked               = "55P03"
	codeNotInRepertoire      = "22021" // what was sent is no text
	codeProtocolViolation    = "08P01" // and all that PgBouncer 1.18 refuses
	codeUntranslatable       = "22P05" // the database's encoding cannot hold it
)

// judge reads a login that ended, with code or (empty) without an error. false:
// it tells nothing of the value, and waiting would not help.
//
// AuthenticationOk comes before everything that is not the password: whether
// the role may log in at all (28000), the limits of role, database and server
// (53300), the database (3D000 not there, 42501 no CONNECT, 55000 closed).
// Whatever is refused after it, the value was the right one. Before it 28P01
// alone is about the value, and is the answer to an unknown role, one without a
// password and one beyond VALID UNTIL as well; 28000 is a connection that
// pg_hba.conf does not let in, or somebody else (ldap, pam, radius) who refused
// the value. (TestWhatAServerSaysBeforeAndAfterThePassword.)
func judge(s seen, code string) (protocol.Reply, bool) {
	switch {
	case s.authenticated && s.asked == NoPassword:
		return protocol.NotThisWay, true
	case s.asked == OtherMethod:
		return protocol.NotThisWay, true
	case s.authenticated && code == codeInvalidAuthorization:
		return protocol.Disabled, true
	case s.authenticated:
		return protocol.Accepted, true
	case code == codeInvalidPassword && s.asked != NoPassword:
		return protocol.Refused, true
	case code == codeInvalidAuthorization:
		return protocol.NotThisWay, true
	case forNow(code):
		return protocol.Unreachable, true
	}
	return protocol.NotAsked, false
}

// forNow reports whether a server that says so may answer later: it starts,
// stops or recovers (57P01 to 57P04), has no room (class 53), somebody holds
// the row (55P03), or the connection was lost (class 08 but for 08P01, with
// which poolers refuse).
func forNow(code string) bool {
	return code == codeLocked || strings.HasPrefix(code, "57P0") || strings.HasPrefix(code, "53") || strings.HasPrefix(code, "08") && code != codeProtocolViolation
}

// meaning is what a code says, without the server's words, which hold names.
func meaning(code string) string {
	words := map[string]string{
		codeInvalidPassword:      "password authentication failed",
		codeInvalidAuthorization: "pg_hba.conf lets no such login in, or the role may not log in",
		codeInsufficientRight:    "a right is missing",
		codeNoRole:               "no such role",
		codeReservedName:         "the role's name is reserved",
		codeReadOnly:             "the server is read-only",
		codeTooManyConnections:   "too many connections",
		"3D000":                  "no such database",
		"55000":                  "the database takes no connections",
		codeProtocolViolation:    "a protocol error, or a connection pooler (pgbouncer) that refuses",
		codeLocked:               "another session holds the role's row, perhaps a change that waits for a synchronous standby",
		"57P01":                  "the server is shutting down, or an administrator ended the session",
		"57P03":                  "the server is starting up",
		"57014":                  "the statement was cancelled",
	}
	if w := words[code]; w != "" {
		return "SQLSTATE " + code + ", " + w
	}
	return "SQLSTATE " + code
}
