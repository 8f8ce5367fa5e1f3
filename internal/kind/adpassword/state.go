package adpassword

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"rollcall/internal/directory"
	"rollcall/internal/protocol"
)

// Flags of userAccountControl ([MS-ADTS] 2.2.16). The lock shows only in
// msDS-User-Account-Control-Computed (3.1.1.4.5.17).
const (
	accountDisable = 0x2
	lockout        = 0x10
)

// state says what the account's attributes do to logins. An expired password is
// no state: a reset lifts it, and the password could be changed with the stolen
// one until then. A lock whose end cannot be told counts as a lock: to call
// a locked account open would let a refusal pass for a proof.
func state(e directory.Entry, now time.Time) protocol.Answer {
	control, _ := strconv.ParseInt(e.First("userAccountControl"), 10, 64)
	if control&accountDisable != 0 {
		return protocol.Disabled
	}
	if end, err := strconv.ParseInt(e.First("accountExpires"), 10, 64); err == nil && end > 0 && end < math.MaxInt64 && !now.Before(fileTime(end)) {
		return protocol.Expired
	}
	computed, err := strconv.ParseInt(e.First("msDS-User-Account-Control-Computed"), 10, 64)
	since, _ := strconv.ParseInt(e.First("lockoutTime"), 10, 64)
	if computed&lockout != 0 || err != nil && since != 0 {
		return protocol.Locked
	}
	return protocol.Accepted
}

// changed is pwdLastSet in a form that sorts: units of 100 ns, so two resets in a row
// differ. 0 is a password that must be changed.
func changed(e directory.Entry) string {
	n, err := strconv.ParseUint(e.First("pwdLastSet"), 10, 64)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%020d", n)
}

// since is pwdLastSet as a time, zero for a password that must be changed: a domain
// controller accepts the password before it for an hour.
func since(e directory.Entry) time.Time {
	n, err := strconv.ParseInt(e.First("pwdLastSet"), 10, 64)
	if err != nil || n == 0 {
		return time.Time{}
	}
	return fileTime(n)
}

// fileTime is the time of a FILETIME ([MS-DTYP] 2.3.3): units of 100 ns since 1601.
func fileTime(n int64) time.Time {
	const unixEpoch = 116444736000000000
	n -= unixEpoch
	return time.Unix(n/1e7, n%1e7*100)
}
