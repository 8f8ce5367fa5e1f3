package credential

import (
	"slices"
	"time"
)

// LineKind is the kind of a line of a device profile: what a device of that
// type can hold. It is wider than Kind, which is what Rollcall can rotate.
type LineKind string

// The kinds of line. Most repeat from device to device; content is secrets in
// mail or in backups, session all that lives on without a password.
const (
	DirectoryBind       LineKind = "directory-bind"
	PassingUserPassword LineKind = "passing-user-password"
	LocalAccount        LineKind = "local-account"
	MFASeed             LineKind = "mfa-seed"
	APIKey              LineKind = "api-key"
	TLSKey              LineKind = "tls-key"
	SSHKey              LineKind = "ssh-key"
	SharedSecret        LineKind = "shared-secret"
	SNMP                LineKind = "snmp"
	BackupTarget        LineKind = "backup-target"
	CloudAccount        LineKind = "cloud-account"
	ServiceLogin        LineKind = "service-login"
	MasterKey           LineKind = "master-key"
	Session             LineKind = "session"
	KerberosKeytab      LineKind = "kerberos-keytab"
	SAMLOIDC            LineKind = "saml-oidc"
	Database            LineKind = "database"
	Content             LineKind = "content"
	LoginToVault        LineKind = "vault-login"
)

// LineKinds are all of them, in the order in which messages name them.
func LineKinds() []LineKind {
	return []LineKind{DirectoryBind, PassingUserPassword, LocalAccount, MFASeed, APIKey, TLSKey, SSHKey, SharedSecret, SNMP,
		BackupTarget, CloudAccount, ServiceLogin, MasterKey, Session, KerberosKeytab, SAMLOIDC, Database, Content, LoginToVault}
}

// MayAnswer reports whether a credential of the kind can be what a line of
// that kind is about.
func (k Kind) MayAnswer(l LineKind) bool {
	t := k.Traits()
	return t.AnswersAny || slices.Contains(t.Answers, l)
}

// Usual is the kind of line that credentials of the kind answer where nothing
// says otherwise; empty where they are of none.
func (k Kind) Usual() LineKind {
	if a := k.Traits().Answers; len(a) > 0 {
		return a[0]
	}
	return ""
}

// LineRef is what says that a credential answers a line of the profile.
type LineRef struct {
	Line string `json:"line"`
	By   LineBy `json:"by"`
}

// LineBy is who can say it.
type LineBy string

// Who says it. ByMetadata is the secret's own word, which whoever had the
// device may have written: a person has to agree.
const (
	BySource   LineBy = "source"   // the campaign file, of all that a source finds
	ByManifest LineBy = "manifest" // a row of a list that people keep
	ByMetadata LineBy = "metadata" // custom_metadata of the secret in Vault
	ByKind     LineBy = "kind"     // the profile has one line of its kind
)

// Answer is what is known of a line of the profile.
type Answer string

// Answers. A line without one has to be asked about.
const (
	Unanswered Answer = ""
	Covered    Answer = "covered" // credentials of the roll are what it is about
	None       Answer = "none"    // the device holds nothing of it, and why
	Later      Answer = "later"   // who sees to it, and by when
)

// LineAnswer is one line of the profile, and the answer to it.
type LineAnswer struct {
	Line  string   `json:"line"`
	Kind  LineKind `json:"kind"`
	What  string   `json:"what"`
	Group int      `json:"group,omitempty"`

	Answer Answer    `json:"answer,omitempty"`
	Reason string    `json:"reason,omitempty"` // why none, what later, or a note
	Owner  string    `json:"owner,omitempty"`  // of later
	Due    time.Time `json:"due,omitzero"`     // of later
	By     string    `json:"by,omitempty"`     // who answered; empty where the sources did
	On     time.Time `json:"on,omitzero"`      // when

	// Credentials of the roll that answer it, and how many of those only their
	// kind gives to it.
	Credentials int `json:"credentials,omitempty"`
	Matched     int `json:"matched,omitempty"`

	At  string `json:"at,omitempty"`  // file and line of the answer
	Why string `json:"why,omitempty"` // it counts as unanswered, or what is wrong with the answer
	// Wrong: the answer contradicts the roll. Nobody may go on with it.
	Wrong bool   `json:"wrong,omitempty"`
	Ask   string `json:"ask,omitempty"` // what the profile asks of a person
	// May is what the sources found that may be it, and what to write at which
	// source if it is. The ledger does not have it.
	May string `json:"may,omitempty"`
}

// Accounting is the profile of the device, line by line. It travels with the
// roll.
type Accounting struct {
	Profile  string       `json:"profile"`
	Title    string       `json:"title"`
	Reviewed string       `json:"reviewed"`
	Digest   string       `json:"digest"` // SHA-256 of the profile's file, in hex
	Lines    []LineAnswer `json:"lines"`

	// Unanswered is why a person went on with lines that nobody had answered,
	// and UnansweredBy is who.
	Unanswered   string `json:"unanswered,omitempty"`
	UnansweredBy string `json:"unanswered_by,omitempty"`
}

// Open are the lines without an answer that holds.
func (a *Accounting) Open() (out []LineAnswer) { return a.with(Unanswered) }

// Later are the lines that somebody sees to later.
func (a *Accounting) Later() []LineAnswer { return a.with(Later) }

func (a *Accounting) with(answer Answer) (out []LineAnswer) {
	if a == nil {
		return nil
	}
	for _, l := range a.Lines {
		if l.Answer == answer {
			out = append(out, l)
		}
	}
	return out
}
