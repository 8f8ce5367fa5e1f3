package adpassword

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/protocol"
)

// Flags of userAccountControl ([MS-ADTS] 2.2.16). The lock shows only in
// msDS-User-Account-Control-Computed (3.1.1.4.5.17).
const (
	accountDisable = 0x2
	lockout        = 0x10

	smartCardRequired = 0x40000
)

// state says what the account's attributes do to logins. An expired password is
// no state: a reset lifts it, and the password could be changed with the stolen
// one until then. A lock whose end cannot be told counts as a lock: to call
// a locked account open would let a refusal pass for a proof.
func state(e directory.Entry, now time.Time) protocol.Reply {
	control, _ := strconv.ParseInt(e.First("userAccountControl"), 10, 64)
	if control&accountDisable != 0 {
		return protocol.Disabled
	}
	if end, err := strconv.ParseInt(e.First("accountExpires"), 10, 64); err == nil && end > 0 && end < math.MaxInt64 && !now.Before(fileTime(end)) {
		return protocol.Expired
	}
	if slices.ContainsFunc(e.Attrs["memberOf"], protectedUsers) {
		return protocol.NotThisWay
	}
	computed, err := strconv.ParseInt(e.First("msDS-User-Account-Control-Computed"), 10, 64)
	since, _ := strconv.ParseInt(e.First("lockoutTime"), 10, 64)
	if computed&lockout != 0 || err != nil && since != 0 {
		return protocol.Locked
	}
	return protocol.Accepted
}

// hindrances are why an account must not be reset although it is in order.
// Where a smart card is required the domain made the password random, and a
// reset would give the account one that logs in ([MS-ADA3],
// userAccountControl); a reset makes keytabs of an account with principals
// useless; and a second copy of the password is not changed by one.
func hindrances(e directory.Entry, now time.Time) (out []credential.Problem) {
	if control, _ := strconv.ParseInt(e.First("userAccountControl"), 10, 64); control&smartCardRequired != 0 {
		out = append(out, credential.NoPassword)
	}
	if len(directory.DomainCopies(e)) > 0 {
		out = append(out, credential.SecondCopy)
	}
	if len(e.Attrs["servicePrincipalName"]) > 0 {
		out = append(out, credential.HasKeytab)
	}
	if directory.Restricts(e, now) != "" {
		out = append(out, credential.Restricted)
	}
	return out
}

// protectedUsers: a domain controller takes no simple bind of the group's
// members, which a reset would cut off for nothing. Members by way of another
// group, and a group by another name, show at the login.
func protectedUsers(group string) bool {
	return strings.HasPrefix(strings.ToLower(group), "cn=protected users,cn=users,")
}

// changed is the version of the password, then when it was set, in a form that
// sorts.
//
// The version is that of unicodePwd in the replication metadata ([MS-ADTS]
// 3.1.1.4.5.16): each reset raises it, one to the same value too, and every
// domain controller has it as it was written on the first. pwdLastSet is 0
// while the password must be changed, which is written last, so it sorts after
// any time: a server that has not seen it lags.
func changed(e directory.Entry) string {
	version, _ := strconv.ParseUint(e.First("msDS-KeyVersionNumber"), 10, 32)
	set, err := strconv.ParseUint(e.First("pwdLastSet"), 10, 64)
	switch {
	case err != nil:
		return ""
	case set == 0:
		return fmt.Sprintf("%010d", version) + mustChangeMark
	}
	return fmt.Sprintf("%010d %020d", version, set)
}

// since is pwdLastSet as a time, zero for a password that must be changed: a
// domain controller accepts the password before it for an hour.
func since(e directory.Entry) time.Time {
	n, err := strconv.ParseInt(e.First("pwdLastSet"), 10, 64)
	if err != nil || n == 0 {
		return time.Time{}
	}
	return fileTime(n)
}

const mustChangeMark = " must-change"

// MustChange reports whether a change mark is that of an account whose owner
// must change its password at the next log-on.
func MustChange(mark string) bool { return strings.HasSuffix(mark, mustChangeMark) }

// version is the password's in a change mark, 0 if there is none.
func version(mark string) int {
	text, _, _ := strings.Cut(mark, " ")
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0
	}
	return n
}

// SameVersion reports whether two change marks are of the same password.
func SameVersion(a, b string) bool { return version(a) != 0 && version(a) == version(b) }

// Steps is how often the password was set between two change marks; -1 where
// they do not tell.
func Steps(before, after string) int {
	if version(before) == 0 || version(after) < version(before) {
		return -1
	}
	return version(after) - version(before)
}

// fileTime is the time of a FILETIME ([MS-DTYP] 2.3.3): units of 100 ns since
// 1601.
func fileTime(n int64) time.Time {
	const unixEpoch = 116444736000000000
	n -= unixEpoch
	return time.Unix(n/1e7, n%1e7*100)
}
