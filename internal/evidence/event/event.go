// Package event holds the nouns of evidence: what a line of a server's log says
// of one use of a credential. It imports nothing of ours and does no I/O.
package event

import (
	"net/netip"
	"time"
)

// Place is where in which file something stands.
type Place struct {
	File string `json:"file"`
	Line int    `json:"line"`
}

// Outcome is what the server said to it.
type Outcome string

// Outcomes.
const (
	Accepted Outcome = "accepted" // it was let in
	Refused  Outcome = "refused"  // it was not, and the value or the name was wrong
	Locked   Outcome = "locked"   // it was not, because the account is locked
	Failed   Outcome = "failed"   // it was not, for a reason that is none of the value's
	Unknown  Outcome = "unknown"  // the log does not say how it ended
	// Barred: it was not, because the account or its password is expired,
	// disabled, or restricted to times and machines. Active Directory says so
	// of some of these only where the value was right.
	Barred Outcome = "barred"
	// ValueRight: the value was right, and it was not let in by that: a second
	// factor is to come, or a rule behind the value refused it.
	ValueRight Outcome = "value-right"
	// Connected: an address was there, and did not log in. It is told of where
	// indicators are looked for.
	Connected Outcome = "connected"
	// Mentioned: an address that is looked for stands in a line about no login,
	// where it may be what somebody typed.
	Mentioned Outcome = "mentioned"
	// Denied: it was not, because the account is locked, disabled or
	// restricted, which the log does not tell apart.
	Denied Outcome = "denied"
)

// Words are what became of a login, behind the name of who tried.
func (o Outcome) Words() string {
	switch o {
	case Unknown:
		return "tried to log in, and the log does not say how that ended,"
	case Failed:
		return "failed to log in, for a reason that tells nothing of the value,"
	case Barred:
		return "was barred (expired, disabled or restricted, which some servers say only where the value was right)"
	case Denied:
		return "was denied (locked, disabled or restricted, which the log does not tell apart)"
	case ValueRight:
		return "showed the right value, and was not let in by it alone,"
	case Connected:
		return "connected"
	}
	return "was " + string(o)
}

// Right reports whether who tried showed the right value.
func (o Outcome) Right() bool { return o == Accepted || o == ValueRight }

// Bad reports whether a value or a name was tried in vain.
func (o Outcome) Bad() bool { return o == Refused || o == Locked || o == Denied }

// NoUse reports whether it is no use of a credential, and no try.
func (o Outcome) NoUse() bool { return o == Connected || o == Mentioned }

// Form says how the name of an account is to be read.
type Form string

// Forms of names.
const (
	DN         Form = "dn"          // of an LDAP entry (RFC 4514)
	VaultLogin Form = "vault-login" // mount/name of a login to Vault
	Login      Form = "login"       // what a person types: name, DOMAIN\name, name@realm
	Other      Form = "other"       // as the server has it
	Foreign    Form = "foreign"     // a login of another domain than the authority's
)

// Event is one use of a credential, or one try, as a log has it. It never holds
// a secret; Hashes are what Vault's audit device made of secrets.
type Event struct {
	Place
	Format    string
	Authority string // of the campaign file, where the operator named it; else ""
	Server    string // as the line or the operator names it; "" where neither does
	At        time.Time
	// Or is the other moment that it may have been: of a time without a zone,
	// in the hour that came twice. Zero where there is none.
	Or time.Time

	Account string // as written; "" where the line names nobody
	Form    Form
	Address netip.Addr // zero where the log has none
	Port    uint16
	// Others are further addresses, each of which may be the one that asked:
	// proxies write one behind the other, and who asks may have written those
	// before his own. OthersUnread: there are some that could not be read.
	Others       []netip.Addr
	OthersUnread bool
	// Client is what the log calls who asks: the name of its address, or one
	// that it says of itself, as NameSaid tells. "" where the log has none.
	Client   string
	NameSaid bool
	Outcome  Outcome
	Method   string // simple, PLAIN, userpass, token, …
	Code     string // of the answer: err=49
	// Login: it is a login and not the use of a session that a login made.
	Login bool

	Hashes []string
	Doubts []Doubt

	// Change is what Account did to Target; "" of a use that changes nothing.
	// Group is the one that Target was put into.
	Change Change
	Target string
	Group  string
}

// Change is one of an account.
type Change string

// Changes.
const (
	Reset     Change = "password-reset"   // of another's, or as if it were
	OwnChange Change = "password-changed" // by who knew the old one
	NewMember Change = "new-member"       // of a group
	NewKey    Change = "new-key"          // one that lets in, or a certificate that does
	Made      Change = "made"             // an entry or account
	Removed   Change = "removed"
	Renamed   Change = "renamed"
	Disabled  Change = "disabled"
	Enabled   Change = "enabled"
	Modified  Change = "entry-changed" // the log does not say in what
)

// Doubt is a reason to trust a part of an event less.
type Doubt string

// Doubts.
const (
	// OverGap: the address is from a line before a stretch without lines.
	OverGap Doubt = "address-over-gap"
	// AfterBackwards: the address is of a connection whose number had been in
	// use, and no line says that the server started anew.
	AfterBackwards Doubt = "numbers-went-back"
	// ByToken: the account is the one that Vault shows of a token; the login
	// that made it is not in the logs.
	ByToken Doubt = "named-by-token"
	// ByName: the log has what was typed as a login's name, and nobody said of
	// which authority those accounts are.
	ByName Doubt = "named-by-login"
	// ByDomain: the account is written with a domain of which nothing says
	// whether it is the authority's.
	ByDomain Doubt = "domain-not-known"
	// BySaidName: the name of who asks is what he says, or the owner of his
	// address does.
	BySaidName Doubt = "name-said-by-client"
	// BySaying: the address is what the one who asks says of himself.
	BySaying Doubt = "address-said-by-client"
	// OfDevice: the device itself wrote the line, and so could who held it.
	OfDevice Doubt = "written-by-the-device"
	// ByHour: it may have been an hour earlier or later, on the other side of
	// what counts.
	ByHour Doubt = "hour-came-twice"
)

// Note is something about a log as a whole that limits what it can show.
type Note string

// Notes.
const (
	NoAddress   Note = "no-address"          // a login whose connection line is not in the logs
	NamesNobody Note = "names-nobody"        // a refused login of which the server writes no name
	NoResult    Note = "no-result"           // a login of which the answer is not in the logs
	NoQuestion  Note = "no-question"         // an answer to a login whose own line is not in the logs
	NotAsWhom   Note = "not-as-whom"         // let in, and the line that says as whom is not there
	NumbersBack Note = "numbers-went-back"   // of connections, without a line that says that the server started
	ClockBack   Note = "clock-went-back"     // by more than a minute
	SaltChanged Note = "salt-changed"        // the audit device was enabled anew: its hashes of before are others
	ValuesClear Note = "values-in-the-clear" // the audit device writes secrets as they are
	NoResponse  Note = "no-response"         // a request to Vault whose response is not in the logs
	Evicted     Note = "connections-dropped" // more logins at once than are remembered
	NoLogins    Note = "no-logins"           // the source has lines, and none is of a login
	NoneLetIn   Note = "none-let-in"         // many logins, and each was refused
	LinesLost   Note = "lines-lost"          // what wrote the log says that it left lines out
	InUnnamed   Note = "let-in-unnamed"      // a login was let in, and its name is not in the logs
	ByUnknown   Note = "changed-by-unknown"  // a change whose maker's login is not in the logs
	CutOff      Note = "cut-off"             // the log ends in the middle of a record
	NotNamed    Note = "names-not-known"     // credentials of which the roll does not say what this log calls them
	NotMapped   Note = "outcome-not-mapped"  // the campaign file does not say what this outcome is
	TooMany     Note = "too-many-stretches"  // with lines: the shortest are not kept, and count as gaps
	HourTwice   Note = "hour-came-twice"     // lines of the hour that comes twice when clocks go back: which of the two they are of the log does not say
	TooManyOf   Note = "too-many-servers"    // that lines call themselves: those behind the first cover nothing
	TooOften    Note = "too-often"           // a line says more repetitions of itself than are counted
)

// Limit is something that no log of a format can show.
type Limit string

// Limits.
const (
	LastNameOnly    Limit = "last-name-only"           // of several tries on one connection the last name alone is written
	ClearRefused    Limit = "clear-text-refused"       // a login in clear text that is refused for that leaves no line with its name
	NoMailNoName    Limit = "no-mail-no-name"          // a login is named when a mail follows, and else is not
	NTLMNameless    Limit = "ntlm-without-address"     // who asks by NTLM is a name that he says, and has no address
	LDAPByNoAddress Limit = "ldap-binds-not-for-sure"  // that a bind over TLS leaves an event with its client is not documented
	RefusedOnly     Limit = "no-login-that-was-let-in" // it has refused logins alone
	ByDevice        Limit = "written-by-the-device"    // who held the device could change it
	AddressSaid     Limit = "address-said-by-asker"    // the address is what the one who asks says
)

// Beyond reports whether to is more than d, which is not negative, behind from.
// It is to.Sub(from) > d, which takes longer, since it minds what a Duration
// cannot hold; lines of one log are mostly of one second.
func Beyond(d time.Duration, from, to time.Time) bool {
	return to.Unix()-from.Unix() >= int64(d/time.Second) && to.Sub(from) > d
}
