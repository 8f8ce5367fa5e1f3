package door

// MaxLooks is how often an old value is offered at a door at most, each time
// over a connection of its own and between good logins. Behind its address may
// be several machines, each with a copy of its own, and that one of them
// refuses the value says nothing of the next.
const MaxLooks = 4

// goodBefore is how many good logins stand before each look, besides the one
// that every look has in front. With them the old value is the 2nd, the 7th,
// the 9th and the 12th login: the first n of these are all the remainders of n
// and of what is less, so that n looks meet each of n machines that take turns.
// A balancer that picks by chance shows both of two in all but one of 16.
var goodBefore = [MaxLooks]int{0, 3, 0, 1}

// GoodBefore is how many good logins stand before a look, counted from 0,
// besides the one that ended the look before.
func GoodBefore(look int) int { return goodBefore[min(look, MaxLooks-1)] }

// NewLogins is how often the new value is offered at most, where each of so
// many old values has so many looks.
func NewLogins(looks, olds int) int {
	each := 0
	for look := range looks {
		each += GoodBefore(look) + 1
	}
	return 1 + each*olds
}

// Looks is how often an old value is offered there: as the campaign file says
// how many machines there are, else as often as is ever done. A Vault's
// machines ask one storage, and its values may be good for so many logins and
// no more.
func (s Settings) Looks() int {
	if s.Machines > 0 {
		return min(s.Machines, MaxLooks)
	}
	if looks := Types[s.Type].Looks; looks > 0 {
		return looks
	}
	return MaxLooks
}

// Locks reports whether wrong values there may lock an account. A token, a key,
// a community and a secret that machines share are no logins of accounts that
// somebody counts.
func (s Settings) Locks() bool {
	return !s.Auth.Nameless() && s.Auth != ByKey && !Types[s.Type].Uncounted
}
