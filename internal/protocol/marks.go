package protocol

import (
	"strings"
	"time"
)

// A change mark is one of two kinds. An exact one has no slash: it moves with
// the secret and with nothing else. In the other kind the time at which the
// secret was set, in whole seconds, stands before the slash, and a mark of the
// whole entry behind it, which other changes and sometimes logins move too.
// Either only grows, as a string.

// Difference is what two marks of one account tell.
type Difference int

// Differences.
const (
	// Unchanged: the secret is the same.
	Unchanged Difference = iota
	// Touched: something was changed, and whether it was the secret does not
	// show.
	Touched
	// Changed: the secret was set anew.
	Changed
)

// Shown reports whether a mark tells anything: an authority that shows none of
// an account, or shows it to others than us, leaves it empty.
func Shown(mark string) bool { return mark != "" && mark != "/" }

// Compare says what became of an account between two looks at it. Two marks
// that are alike because nothing is shown tell nothing, and where the mark of
// the entry is not shown there may be two changes in one second.
func Compare(before, after string) Difference {
	if !Shown(before) || !Shown(after) {
		return Touched
	}
	if before == after && !strings.HasSuffix(after, "/") {
		return Unchanged
	}
	set, entry, split := strings.Cut(before, "/")
	setAfter, _, splitAfter := strings.Cut(after, "/")
	switch {
	case !split || !splitAfter || set != setAfter:
		return Changed
	case overBy(set, entry):
		// The second in which the secret was set was over when we looked
		// before: one more change of it would show.
		return Unchanged
	}
	return Touched
}

// overBy reports whether a change of the entry was in a second that lies behind
// the one in which the secret was set, and behind the next one too: OpenLDAP
// takes pwdChangedTime from a clock that goes on with the kernel's tick, and
// entryCSN from one that is exact. So two changes some milliseconds behind the
// turn of a second have the pwdChangedTime of the second before, and the
// entryCSN of the next one (2.5.13 tried; time(2), clock_gettime(2)).
func overBy(set, entry string) bool {
	was, okSet := second(set)
	is, okEntry := second(entry)
	return okSet && okEntry && is.Sub(was) > time.Second
}

// second is the whole second of a time in a mark.
func second(at string) (time.Time, bool) {
	if len(at) < len(wholeSecond) {
		return time.Time{}, false
	}
	t, err := time.Parse(wholeSecond, at[:len(wholeSecond)])
	return t, err == nil
}

// SetBefore reports whether two marks are of one setting of the secret, by a
// second that was over, and the next one too, at a time before the first of
// them was read. Where that
// setting was the last touch of the entry, each wrong login that the server
// counts moves the mark, and the marks alone do not tell (Compare).
func SetBefore(before, after string, at time.Time) bool {
	set, _, _ := strings.Cut(before, "/")
	setAfter, _, _ := strings.Cut(after, "/")
	if !Dated(before) || !Dated(after) || set != setAfter {
		return false
	}
	was, ok := second(set)
	return ok && was.Before(at.Add(-2*time.Second)) // see overBy
}

// Older reports whether a mark is of an earlier setting of the secret than
// another. It does not tell of two in one second.
func Older(mark, than string) bool {
	a, _, splitA := strings.Cut(mark, "/")
	b, _, splitB := strings.Cut(than, "/")
	if !splitA || !splitB {
		return mark < than
	}
	return a < b
}

// Reverted reports whether a secret that was set since a mark is as it was
// then: the entry as a whole was put back (replication does that), or never was
// the one that was set.
func Reverted(before, now string) bool {
	set, _, split := strings.Cut(before, "/")
	return split && set != "" && strings.Contains(now, "/") && !Older(before, now)
}

// Dated reports whether a mark has the time at which the secret was set, as
// those of OpenLDAP and 389 Directory Server have (GeneralizedTime in UTC).
// Active Directory's begins with a version.
func Dated(mark string) bool {
	set, _, split := strings.Cut(mark, "/")
	return split && len(set) > len("20060102150405") && strings.HasSuffix(set, "Z")
}

// Overruled reports whether a server has refused a change of the write
// server's: its secret is older, and its entry is newer. OpenLDAP takes whole
// entries by the time of their last touch, and a login that it counts is one,
// so such a server does not follow any more.
func Overruled(mark, written string) bool {
	_, entry, _ := strings.Cut(mark, "/")
	_, entryWritten, _ := strings.Cut(written, "/")
	csn := strings.Contains(entry, "#") && strings.Contains(entryWritten, "#")
	return csn && Older(mark, written) && entry > entryWritten
}

// wholeSecond is the form in which the times in marks begin (RFC 4517, 3.3.13).
const wholeSecond = "20060102150405"

// Between is the time from one mark's change of the entry to another's, by the
// server's clock; false where the marks are not that fine.
func Between(before, after string) (time.Duration, bool) {
	a, okA := finely(before)
	b, okB := finely(after)
	return b.Sub(a), okA && okB
}

// finely is the time in an entryCSN:
// "20261128101055.123456Z#000000#001#000000".
func finely(mark string) (time.Time, bool) {
	_, entry, _ := strings.Cut(mark, "/")
	at, _, csn := strings.Cut(entry, "#")
	if !csn {
		return time.Time{}, false
	}
	t, err := time.Parse(wholeSecond+".000000Z", at)
	return t, err == nil
}
