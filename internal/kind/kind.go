// Package kind is the contract between the rotation and the kinds of
// credential it can rotate. A new kind is one folder below this one that
// implements Authority, its traits in internal/credential, one line in
// internal/kind/registry, its name among the kinds of its authority, and a run
// of the contract suite in internal/kind/kindtest (docs/adding-a-kind.md).
package kind

import (
	"context"
	"errors"
	"time"

	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// Authority is an open way to the system that decides whether credentials of
// one kind are valid. It is safe for concurrent use. Every method keeps to
// its context's deadline.
//
// A method that meets a state in which the credential must wait returns a
// *protocol.Stop (errors.As finds it). Any other error means that the answer
// was lost: the caller may not assume that the call had no effect, and
// observes before it does anything else.
type Authority interface {
	// Servers lists every server of the authority by a name fit for the
	// ledger. The first is the one write server. Never empty.
	Servers() []string

	// Account reads the credential's account on one server by its immutable
	// id. It changes nothing and costs no failed login. A missing account is
	// Account.State Gone, not an error.
	Account(ctx context.Context, server string, c credential.Credential) (Account, error)

	// Generate makes a new value that the authority's policy should accept.
	// Every call gives another one.
	Generate(ctx context.Context, c credential.Credential) (credential.Secret, error)

	// Set makes the write server accept the new value, administratively. old
	// may be zero; it is there for authorities that refuse a reset without it.
	// Stop with ReasonRights or ReasonPolicy when the server refuses.
	Set(ctx context.Context, a Account, new, old credential.Secret) error

	// Try offers one value to one server, once, and after a successful login
	// carries out one real operation. For kinds whose passwords the owner must
	// change at the next log-on, Try returns Accepted when the server confirms
	// the value but demands the change. Try never repeats a refused login. An
	// unreachable server is protocol.Unreachable, not an error. What the login
	// mints (a session, a token) is closed or revoked before Try returns.
	Try(ctx context.Context, server string, a Account, value credential.Secret) (protocol.Reply, error)

	// Offer offers one value to one server, once, and only logs in. It does not
	// carry out an operation after a success, nor look at the account after a
	// refusal, so Refused can also mean locked, disabled or missing. It is for
	// values where another check settles that: the caller reads the account, or
	// sees the new value accepted right after. Otherwise it is like Try.
	Offer(ctx context.Context, server string, a Account, value credential.Secret) (protocol.Reply, error)

	// Retire kills whatever still accepts an old value or was minted by it.
	// Called after activation, or before it where RetiresFirst says so; doing
	// it twice does no harm. mark is the write server's change mark
	// (Account.Changed) as Retire left it, if the authority can tell that
	// nobody else changed the secret meanwhile; else empty. Where it sets the
	// value again and gets no answer, the error is Unanswered.
	Retire(ctx context.Context, a Account, new credential.Secret) (mark string, findings []credential.Finding, err error)

	// RetiresFirst reports whether Retire comes before activation for c. It
	// does where the old value opens the place at which the new one is left:
	// what it minted would read the new value there. Consumers have no login in
	// between, so Retire is then short.
	RetiresFirst(c credential.Credential) bool

	// ProofWithoutOld names the proof when the old value is unknown to us:
	// ProofMetadata or ProofRevoked.
	ProofWithoutOld() protocol.Proof
}

// As finds what an authority can do besides, T being one of the interfaces
// below: its own way, or that of the authority that it stands around (Unwrap).
// Whoever asserts instead does not see the latter.
func As[T any](a Authority) (T, bool) {
	for {
		if t, ok := a.(T); ok {
			return t, true
		}
		around, ok := a.(interface{ Unwrap() Authority })
		if !ok {
			var none T
			return none, false
		}
		a = around.Unwrap()
	}
}

// Evicting is an Authority where whoever is logged in as the account may set
// another value after each of ours, and which can end that.
type Evicting interface {
	// SetAlone is Set with no session of the account left when it takes effect,
	// where it is seen that somebody has set another value since ours. set is
	// false where that is not seen: then nothing was done.
	SetAlone(ctx context.Context, a Account, new credential.Secret) (set bool, err error)
}

// Shorter is an Authority that can make a new value somewhat shorter than the
// campaign file says, for a place that takes some lengths only. A longer one
// might be more than a consumer takes.
type Shorter interface {
	// GenerateShorter is Generate by so many characters less. An error means
	// that there is none: the length is not ours to choose, or the least one.
	GenerateShorter(ctx context.Context, c credential.Credential, by int) (credential.Secret, error)
}

// Limited is an Authority whose logins cannot carry every text. A value that
// they cannot is offered to no server: its path is treated as one whose value
// the account refused, and nothing is proved by it.
type Limited interface {
	// CannotOffer says why a value cannot be offered, or is empty.
	CannotOffer(value credential.Secret) (why string)
}

// Many is an Authority that reads many accounts in few calls.
type Many interface {
	// Accounts is Account for each of cs on one server, by credential ID. It
	// saves calls and decides nothing: what is not in the answer the caller
	// reads by Account, which says why.
	Accounts(ctx context.Context, server string, cs []credential.Credential) map[string]Account
}

// Brief is a Many that can leave out what only Set asks for.
type Brief interface {
	// AccountsAfterSet is Accounts without Hindered and Logins, by which
	// nothing is judged any more.
	AccountsAfterSet(ctx context.Context, server string, cs []credential.Credential) map[string]Account
}

// AccountsAfterSet reads many accounts in few calls, briefly where the
// authority can; false if it can read one by one only.
func AccountsAfterSet(ctx context.Context, a Authority, server string, cs []credential.Credential) (map[string]Account, bool) {
	if b, ok := As[Brief](a); ok {
		return b.AccountsAfterSet(ctx, server, cs), true
	}
	m, ok := As[Many](a)
	if !ok {
		return nil, false
	}
	return m.Accounts(ctx, server, cs), true
}

// Seer is an Authority whose Try reads, with the operation that follows a good
// login, the account's change mark as well.
type Seer interface {
	// Seen is the mark that the last accepted Try of the account on the write
	// server has read, once; empty if there was none, or the account may not
	// read it.
	Seen(a Account) string
}

// Again is an Authority of which one server may be several machines behind an
// address.
type Again interface {
	// LookAgain looks at accounts over n new connections to one server, held at
	// once. It changes nothing and offers no value.
	LookAgain(ctx context.Context, server string, cs []credential.Credential, n int) (Look, error)
}

// Look is what several connections to one server showed.
type Look struct {
	// Contradicts says what shows that several machines answered. Empty:
	// nothing does. It travels through Temporal: it names no account.
	Contradicts string
	// Machine is what one machine keeps to, also when it is started again, for
	// comparison with an earlier look.
	Machine string
	// Started is when the machine was started, as it says itself: one machine
	// shows no earlier time than in an earlier look. Zero: it does not say.
	Started time.Time
	// Marks are the newest change marks (Account.Changed) that were shown, by
	// credential ID.
	Marks map[string]string
}

// Named is an Authority whose accounts log in by a name that can come to mean
// another one.
type Named interface {
	// SameName reports whether two names mean the same entry.
	SameName(a, b string) bool
	// Holder is the immutable id of the entry that has a name on a server now;
	// empty if none has.
	Holder(ctx context.Context, server, name string) (string, error)
	// Hides reports whether an entry that a server does not show may be there
	// all the same: moved to where nobody looks, or not ours to see.
	Hides() bool
}

// Teller is an Authority whose change marks tell what was changed.
type Teller interface {
	// Tell says what became of an account since it was proved dead at a mark.
	Tell(proved string, now Account) Told
}

// Told is what a Teller says. The zero value: the account is as it was proved.
type Told struct {
	Reason  protocol.Reason // it is open again
	Detail  string          // for people; it names no account
	Finding credential.FindingCode
}

// Numbered is an Authority whose change marks number the settings of a secret,
// and of whose accounts a change leaves the count of wrong logins. Where one
// more could lock the account the mark tells without a login that somebody has
// set another value.
type Numbered interface {
	Authority

	// SetSince reports whether the secret was set after our own Set of the
	// account, now being the write server's change mark; false where it is not
	// known.
	SetSince(a Account, now string) bool

	// SetBetween reports whether it was set between two change marks of one
	// server; false where they do not tell.
	SetBetween(before, after string) bool
}

// Readable is an Authority of which an account may have the right to read what
// each account there is set to.
type Readable interface {
	// StillRead are those of some accounts of the roll, by credential ID, that
	// have it now, of one of others at least. It changes nothing. An error
	// means that this is not known.
	StillRead(ctx context.Context, readers, of []credential.Credential) (map[string]bool, error)
}

// StillRead asks a directory for them.
func StillRead(ctx context.Context, readers, of []credential.Credential, ask func(context.Context, map[string][]string, []string) (map[string]bool, error)) (map[string]bool, error) {
	who, out := map[string][]string{}, map[string]bool{}
	for _, c := range readers {
		who[c.Subject] = c.ReadsAs
	}
	still, err := ask(ctx, who, Subjects(of))
	for _, c := range readers {
		out[c.ID] = still[c.Subject]
	}
	return out, err
}

// ErrNoneLogsIn says of a Login that each of some values was refused.
var ErrNoneLogsIn = errors.New("no value that is known logs in")

// ErrSecondFactor says of a Login that a value was right, and that Vault asks
// for a second factor besides; ErrCouldLock that one more value, if it were
// wrong, could lock it. What it could read is not known then.
var (
	ErrSecondFactor = errors.New("a second factor is asked for")
	ErrCouldLock    = errors.New("more wrong passwords could lock the user")
)

// Login is an Authority whose credentials open Vault.
type Login interface {
	// Reads gives those of the API paths in Vault that whoever has a token of
	// c, a new one or any that lives, could read, or write to: a secret that he
	// may write he can make away with. Where he may give himself other rights
	// it gives all paths, and behind them the one by which he may
	// (minted.Tokens.Reach). values are what may be in force, the likeliest
	// first, and need not be. It changes nothing that lasts. An error means
	// that this is not known; ErrNoneLogsIn is one, that each of values was
	// refused.
	Reads(ctx context.Context, c credential.Credential, values []credential.Secret, paths []string) ([]string, error)
}

// Outlasting is a Login of which something may live on that no rotation ends.
type Outlasting interface {
	// Outlasts says what, before anything is set. It changes nothing.
	Outlasts(ctx context.Context, c credential.Credential) (Outlasts, error)
}

// Outlasts is what of a login to Vault no rotation ends.
type Outlasts struct {
	// Tokens that it minted cannot be revoked, and live until they expire.
	Tokens bool
	// Login: it lets in without the secret.
	Login bool
}

// Settable is a Login that can say before Set what would keep it from anything:
// others are retired because this one is about to be.
type Settable interface {
	// MaySet is why Set would change nothing, as far as that shows without
	// changing anything, or nil.
	MaySet(ctx context.Context, a Account) error
}

// Lookup is an Authority that says without a login whether it has a value.
type Lookup interface {
	// Has reports whether a value is one of the account's. To ask costs
	// nothing. It is no proof that one is refused.
	Has(ctx context.Context, a Account, value credential.Secret) (bool, error)
}

// Counted is an Authority that may count the logins which a secret is good for.
type Counted interface {
	// UsesLeft is how many logins a value that is in force is good for; 0 where
	// nothing counts them. To ask costs none.
	UsesLeft(ctx context.Context, a Account, value credential.Secret) (int64, error)
}

// Keeper is an Authority whose accounts keep their secret in an entry that may
// hold several.
type Keeper interface {
	// Keeps is how many secrets the account's entry holds on one server now; 0
	// where that is not shown.
	Keeps(ctx context.Context, server string, a Account) (int, error)
}

// Hindrance is the Stop of an account that is hindered, or nil.
func Hindrance(a Account, server string) error {
	if len(a.Hindered) == 0 {
		return nil
	}
	return &protocol.Stop{Reason: protocol.Reason(a.Hindered[0]), Server: server, Detail: "the account shows now what keeps it from being rotated; nothing was set"}
}

// Subjects are the immutable ids of the accounts of cs.
func Subjects(cs []credential.Credential) []string {
	out := make([]string, 0, len(cs))
	for _, c := range cs {
		out = append(out, c.Subject)
	}
	return out
}

// Account is an account as one server shows it now.
type Account struct {
	Subject string // immutable id
	Name    string // the DN or role now, which may differ from the listed one

	// State is Accepted for an account in order, or what would make every
	// login fail: Locked, Disabled, Expired, Gone.
	State protocol.Reply

	// LockedUntil is when a lock ends by itself, with room for clocks that
	// differ; zero if State is not Locked, or only an administrator ends it, or
	// the authority does not say.
	LockedUntil time.Time

	// Since is when the secret in force was set, by the write server's clock.
	// Only an authority that goes on accepting the secret before it says so;
	// zero where a good login by itself shows which secret is in force.
	Since time.Time

	// Changed is the server's own mark of the last change of the secret
	// (pwdChangedTime; the accessors of the secret-ids). Empty if it has none.
	// Where an authority has several servers the marks of one account only
	// grow, as strings: a server whose mark is below the write server's has not
	// seen the change. It may grow for other reasons too: a refused bind does
	// that on OpenLDAP.
	Changed string

	// OnlyOne: the authority keeps one secret for the account, so that a good
	// login with the new value shows by itself that no other is in force, and
	// Changed is not needed for that.
	OnlyOne bool

	// Exact: no login moves Changed, refused or not, so that servers that have
	// seen the same changes of the secret have the same mark.
	Exact bool

	// NeverSet: the authority shows the account's counters and keeps when a
	// secret was set, and has no such time: none was set since it keeps it. Its
	// Changed then moves with refused logins alone.
	NeverSet bool

	// Locks is how many refused logins in a row lock the account, and Failed
	// how many are counted now. Locks is 0 where none do, or where the
	// authority says nothing of it.
	Locks, Failed int

	// LocksHidden: which policy locks the account is not shown, and Locks is
	// what is taken for it.
	LocksHidden bool

	// LocksGuessed: which of several policies is the account's is not shown,
	// and the strictest counts.
	LocksGuessed bool

	// Before is the change mark from when the value was staged that is the
	// right one now, and is set again or retired; else empty. The caller of Set
	// and Retire gives it.
	Before string

	// Logins are the credential's at Vault (credential.Credential.Logins).
	Logins []credential.VaultLogin

	// Old are the old values of the paths that take part, of which the account
	// may have several. The callers of Set and Retire give them.
	Old []credential.Secret

	// LeftOut are servers that a person took out of the campaign. The callers
	// of Set and Retire give them.
	LeftOut []string

	// Hindered is why the secret must not be set now, as the listing would say
	// it. Set refuses an account that has any; the caller takes out what a
	// person accepted.
	Hindered []credential.Problem

	// Accepted are the problems that a person accepted of the account. The
	// callers of Set and Retire give them.
	Accepted []credential.Problem

	// SecretHidden: whether the account has a secret at all is not shown.
	// Nothing is set then unless Vault holds one that it accepts.
	SecretHidden bool

	// ByItself: the last change was made by the account itself, as far as the
	// server says.
	ByItself bool
}

// Unnumbered reports whether a proof would go by the account's change mark, and
// none is shown.
func (a Account) Unnumbered() bool { return a.Exact && a.Changed == "" }

// Spent is the error of a Set that was applied, and after which others may have
// the value: it is not to stay in force, and another one is set instead, which
// does not share its fate.
type Spent struct{ Err error }

func (s Spent) Error() string { return s.Err.Error() }

// Unwrap is for errors.As.
func (s Spent) Unwrap() error { return s.Err }

// Unanswered is the error of a Retire that sent the value again and does not
// know whether it was set: it may still arrive.
type Unanswered struct{ Err error }

func (u Unanswered) Error() string { return u.Err.Error() }

// Unwrap gives the reason.
func (u Unanswered) Unwrap() error { return u.Err }
