// Package credential holds Rollcall's nouns: what a credential is, where it
// lives, and why it is tied to the compromised device. It imports nothing of
// ours and does no I/O.
package credential

import (
	"slices"
	"strings"
	"time"
)

// VaultAuthority is the authority of every credential that Vault itself
// decides on. Directories are named in the campaign file and may not take
// this name.
const VaultAuthority = "vault"

// Credential is one line of the roll. It never holds a secret.
type Credential struct {
	// ID is unique in a roll and stable between rolls: Authority + "/" +
	// Subject, or "unmatched/" + the path for a path without an account.
	ID string `json:"id"`

	Kind Kind `json:"kind"`

	// Authority is the system that decides whether the credential is valid:
	// the name of one in the campaign file, VaultAuthority or PersonAuthority.
	Authority string `json:"authority"`

	// Subject is the immutable identity at the authority: entryUUID (RFC 4530)
	// for an LDAP entry, objectGUID for one of Active Directory, "mount/role"
	// for an AppRole, "mount/name" for a userpass user, "token/accessor" for a
	// token of Vault, the folded name of what only a person can change. Empty
	// when no account was found; Problem then says so.
	Subject string `json:"subject,omitempty"`

	// Name is for people: the DN or the role as it was when it was listed.
	Name string `json:"name"`

	// Short is what the account is called by itself (uid, sAMAccountName), in
	// the process that lists it and nowhere else.
	Short string `json:"-"`

	// Paths are the places in Vault where consumers read the secret. All of
	// them are kept current. Never empty once the roll is merged, unless
	// Problem is set or nothing new is made (Kind.OnlyEnds).
	Paths []Path `json:"paths,omitempty"`

	// UsedBy are consumers that read one of Paths, as the campaign file says.
	UsedBy []string `json:"used_by,omitempty"`

	// Owner sees to it if it stays open, and Due is until when; empty and zero
	// where nobody says.
	Owner string    `json:"owner,omitempty"`
	Due   time.Time `json:"due,omitzero"`

	// Adopted says that Vault held no path for the account and Paths is the
	// default path, which activation creates.
	Adopted bool `json:"adopted,omitempty"`

	// DeadBefore: an earlier campaign had called a value of it dead, as Vault
	// has noted; nil where none is known.
	DeadBefore *DeadBefore `json:"dead_before,omitempty"`

	// Own: it is what Rollcall itself works with.
	Own bool `json:"own,omitempty"`

	// Batch: when it was listed it gave batch tokens, which Vault cannot
	// revoke: those that somebody has live on for the whole campaign, whatever
	// is changed about it meanwhile.
	Batch bool `json:"batch,omitempty"`

	// ReadsOthers: it may fetch the hashes of all passwords of its authority,
	// and so what others are set to.
	ReadsOthers bool `json:"reads_others,omitempty"`

	// ReadsAs are the identifiers that it acted with at its authority when it
	// was listed, by which it may: what is logged in keeps those of its groups.
	ReadsAs []string `json:"reads_as,omitempty"`

	// ReadBy are accessors of tokens of Vault that name the device, that no
	// login of the roll made, and that could read its new value, and places of
	// logins (auth/…) that are on no roll and could: nothing is set while one
	// of them lives.
	ReadBy []string `json:"read_by,omitempty"`

	// Hearsay: only what a secret in Vault says of itself (custom_metadata,
	// which the device may have written) ties the credential to its account. It
	// is rotated only if the account accepts a value that the paths hold.
	Hearsay bool `json:"hearsay,omitempty"`

	// Spare is Rollcall's own path, with the immutable id in it, for a new
	// value whose account refuses what all of Paths hold: those then stay as
	// they are. Nil where such a credential is left open instead.
	Spare *Path `json:"spare,omitempty"`

	// Named are those of Paths that somebody other than the secret itself
	// named: a person's list, the campaign file, or Rollcall, whose default
	// path it is. A new secret is made at none but these.
	Named []Path `json:"named,omitempty"`

	// Makes are those of Paths that a person named and that held nothing when
	// it was listed: a secret is made there.
	Makes []Path `json:"makes,omitempty"`

	// Confirmed are those of Paths that a person named for this account in the
	// campaign file: they take part even if the account refuses what they hold,
	// unless somebody wrote that after Rollcall had put a value there.
	Confirmed []Path `json:"confirmed,omitempty"`
	// ConfirmedAt is, by path, the version of the secret of which the person
	// said so, where he named one: that word counts for no other version.
	ConfirmedAt map[string]int `json:"confirmed_at,omitempty"`
	// ConfirmedWritten is, by path, when Vault wrote that version, as he said:
	// a secret that was deleted and made anew counts from 1 again.
	ConfirmedWritten map[string]time.Time `json:"confirmed_written,omitempty"`

	// Doubted are those of Paths of which the secret there, or its name, says
	// that they are another account's, or that nothing but an earlier
	// campaign's record has for this one's. Several accounts may have one
	// password, so that this one's good login with it shows nothing: where it
	// is accepted nothing is set, until a person confirms account and path,
	// unless it is what that campaign put there.
	Doubted []Path `json:"doubted,omitempty"`

	// Ours are those of Paths at which an earlier campaign activated a value of
	// this very credential, by the record that Rollcall keeps: they take part
	// for as long as they hold it.
	Ours []Path `json:"ours,omitempty"`

	// Behind are those of Paths that, when it was listed, held another value
	// than what an earlier campaign had put at another of them, which held it
	// still: the account will refuse them, and they stay as they are.
	Behind []Path `json:"behind,omitempty"`

	// Beside are fields of the same secrets, paths of other credentials of the
	// roll, that held the same value when it was listed: they get new values of
	// their own.
	Beside []Path `json:"beside,omitempty"`

	// Leads tells, by path, whether the hosts to which a secret sends whoever
	// reads it are those of when it was listed (vault.Leads). A path that is
	// not in it had none, where LeadsKnown says that all were looked at;
	// LeadsUnseen is one that was not shown.
	// LeadsBut are fields of the same secrets that are other credentials'.
	Leads      map[string]string `json:"leads,omitempty"`
	LeadsKnown bool              `json:"leads_known,omitempty"`
	LeadsBut   []string          `json:"leads_but,omitempty"`

	// Users are names of the account that stand before a secret at Paths, as
	// that text has them: of "svc:x" the part behind is the secret.
	Users []string `json:"users,omitempty"`

	// Alike are where, by secret and version, a value lies that the account
	// accepted when it was listed, and that another authority's account of its
	// name has there: it is what has to die here too. Nothing is written there.
	Alike []PathVersion `json:"alike,omitempty"`

	// Names are those by which logins go to its account: uid, sAMAccountName,
	// userPrincipalName, a role. They are kept where the roll has tasks of
	// people, who may come to Vault by another way with the same password.
	Names []string `json:"names,omitempty"`

	// LoginNames are those with which a directory's account logs in there (uid,
	// sAMAccountName, userPrincipalName): logs call it so. None where it is no
	// domain's, and its DN begins with it.
	LoginNames []string `json:"login_names,omitempty"`

	// Wave orders the campaign: waves run one after the other, lowest first.
	Wave int `json:"wave"`

	// Reasons say what ties the credential to the device, one for each source
	// that found it.
	Reasons []Reason `json:"reasons"`

	// Lines are those of the device's profile that it answers, each by whoever
	// says so.
	Lines []LineRef `json:"lines,omitempty"`

	// Logins are the auth mounts of type ldap at which the password logs in to
	// Vault too.
	Logins []VaultLogin `json:"logins,omitempty"`

	// Doors are the services that take its secret too, in order: it is dead
	// when each of them refuses the old one as well.
	Doors []DoorLogin `json:"doors,omitempty"`

	// Task is what a person has to do; nil for what Rollcall changes itself.
	Task *Task `json:"task,omitempty"`

	// Problem is set when the credential cannot be rotated as listed. It stays
	// on the roll and ends as an open exception.
	Problem Problem `json:"problem,omitempty"`

	Signs []SignOf `json:"signs,omitempty"` // of use by others, as logs have them; none says nothing

	// Accepted are problems that a person accepted by name: it is rotated in
	// spite of them.
	Accepted []Problem `json:"accepted,omitempty"`
}

// DoorLogin is a door of the campaign file, and the name with which the account
// logs in there.
type DoorLogin struct {
	Door  string `json:"door"`
	Login string `json:"login"`
	// Own are other logins of the same account, as its directory says, where
	// the door may keep each apart.
	Own []string `json:"own,omitempty"`
	// End of a task at which the door is; empty where it has one end, or
	// nothing says at which.
	End string `json:"end,omitempty"`
	// By is who named it besides the campaign file's for: DoorByRow or
	// DoorByMetadata; empty where for did.
	By string `json:"by,omitempty"`
}

// Who names a door for a credential, besides the campaign file.
const (
	DoorByRow      = "row"      // of a manifest
	DoorByMetadata = "metadata" // of a secret, which the device may have written
)

// OfDirectory reports whether c is a directory's account, by its DN: all
// spellings of its login name are one name there.
func (c Credential) OfDirectory() bool {
	return c.Task == nil && !c.Kind.OpensVault() && strings.Contains(c.Name, "=") && strings.Contains(c.Name, ",")
}

// WithoutDoors is c without doors that a person left out of the campaign, and
// which of its own those are.
func (c Credential) WithoutDoors(leftOut []string) (rest Credential, without []string) {
	if len(leftOut) == 0 {
		return c, nil
	}
	rest, rest.Doors = c, nil
	for _, d := range c.Doors {
		if slices.Contains(leftOut, d.Door) {
			without = append(without, d.Door)
		} else {
			rest.Doors = append(rest.Doors, d)
		}
	}
	return rest, without
}

// MoreReaders stands in ReadBy for tokens beyond those that are watched by
// name: what they could read waits for another listing.
const MoreReaders = "more"

// IsLoginPlace tells a place in ReadBy from an accessor.
func IsLoginPlace(reader string) bool { return strings.HasPrefix(reader, "auth/") }

// Places are the paths at which its new value may be activated: those that are
// listed, and then Rollcall's own, if it has one. Of what a person does it is
// where he writes it.
func (c Credential) Places() []Path {
	if c.Task != nil && c.Task.At != nil {
		return append(slices.Clone(c.Paths), *c.Task.At)
	}
	if c.Spare == nil {
		return c.Paths
	}
	return append(slices.Clone(c.Paths), *c.Spare)
}

// HandsOver reports whether Paths hold a temporary value for the account's
// owner to fetch, instead of one that consumers read.
func (c Credential) HandsOver() bool { return c.Kind.Traits().HandsOver }

// Claim reports whether nothing but the secret itself says that a path is the
// credential's.
func (c Credential) Claim(p Path) bool {
	return !slices.Contains(c.Named, p) && !slices.Contains(c.Confirmed, p) && !slices.Contains(c.Ours, p)
}

// ConfirmedNow reports whether a person's word for a path is about what the
// path holds: that version, written when he says it was, or, where he named
// none, whatever was there before Rollcall first put a value of it there.
func (c Credential) ConfirmedNow(p Path, version int, written time.Time, untouched bool) bool {
	if at := c.ConfirmedAt[p.String()]; at > 0 {
		said := c.ConfirmedWritten[p.String()]
		if said.Nanosecond() == 0 {
			written = written.Truncate(time.Second)
		}
		return at == version && !said.IsZero() && said.Equal(written)
	}
	return untouched && slices.Contains(c.Confirmed, p)
}

// AccountNames are what a login may be called that somebody makes with its
// password elsewhere, folded: its names, the part of each before an @, and the
// last part of a userpass user's. What a person does has no account.
func (c Credential) AccountNames() (out []string) {
	if c.Task != nil {
		return nil
	}
	all := c.Names
	if c.Kind.OpensVault() {
		if login := c.Kind.Traits().Login; login != nil && login.BareName {
			all = append(slices.Clone(all), c.Subject[strings.LastIndex(c.Subject, "/")+1:])
		}
	}
	for _, name := range all {
		name = strings.ToLower(strings.TrimSpace(name))
		local, _, _ := strings.Cut(name, "@")
		out = append(out, name, local)
	}
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return s == "" })
}

// VaultLogin is an auth mount of Vault that asks a directory, and takes an
// account's password.
type VaultLogin struct {
	Mount string `json:"mount"` // without auth/ and slashes at the ends

	// Names are those that log in there, the one first that Vault itself goes
	// by.
	Names []string `json:"names"`

	// Servers are those of the account's directory that Vault asks, or may ask
	// where that cannot be told: all of them.
	Servers []string `json:"servers,omitempty"`

	// Plain: no policy but Vault's default one comes of it, with which nothing
	// is read that Rollcall writes. Its tokens are revoked, and nothing waits
	// for it.
	Plain bool `json:"plain,omitempty"`
}

// LeadsUnseen stands in Credential.Leads for a path that was not shown.
const LeadsUnseen = "?"

// Problem says why a listed credential cannot be rotated as it stands.
type Problem string

// Problems found while listing.
const (
	// NoAccount: Vault holds a secret for an account that its authority does
	// not know (deleted, renamed outside the search base, or mistyped).
	NoAccount Problem = "no-account"
	// Ambiguous: the reference matches more than one account.
	Ambiguous Problem = "ambiguous"
	// OwnIdentity: it is the login with which Rollcall itself works, and a
	// campaign that changed it midway would lock itself out.
	OwnIdentity Problem = "own-identity"
	// SharedPath: a path is named as the place of several accounts.
	SharedPath Problem = "shared-path"
	// NoOwner: nothing says whose the secret is.
	NoOwner Problem = "no-owner"
	// NotAnAccount: the entry is a group, a container, a device: it logs in
	// nowhere.
	NotAnAccount Problem = "not-an-account"
	// NoPassword: the account has no password, and a reset would give it a
	// login.
	NoPassword Problem = "no-password"
	// IsAlias: the entry is an alias of an account (RFC 4512 section 2.6).
	IsAlias Problem = "alias"
	// BehindReferral: the account may be on a server that the campaign does not
	// have.
	BehindReferral Problem = "behind-referral"
	// CheckedElsewhere: the entry says who checks the password, and does not
	// hold it.
	CheckedElsewhere Problem = "checked-elsewhere"
	// SecondCopy: the entry holds the same secret once more, which a reset may
	// leave as it is. A person may accept it.
	SecondCopy Problem = "second-copy"
	// CopyBeside: the secret in Vault holds the same value a second time, which
	// stays as it is. A person may accept it.
	CopyBeside Problem = "copy-beside"
	// PointsAtDevice: whoever reads its secret would take the new value to an
	// address of the compromised device. A person may accept it.
	PointsAtDevice Problem = "points-at-device"
	// LeadsElsewhere: by now its secret sends whoever reads it to another host
	// than before the device was in foreign hands, and with it would go the new
	// value. A person may accept it.
	LeadsElsewhere Problem = "leads-elsewhere"
	// HasKeytab: a reset makes the account's keytabs useless. A person may
	// accept it.
	HasKeytab Problem = "has-keytab"
	// ForcedChange: the account's policy has each password that somebody else
	// has set changed at the next login, which its consumers cannot do. A
	// person may accept it.
	ForcedChange Problem = "forced-change"
	// Restricted: the account may log in at some hours or from some computers
	// only, so that it may not be seen whether a new password works. A person
	// may accept it.
	Restricted Problem = "restricted"
	// PasswordHidden: whether the account has a password at all is not shown,
	// and Vault holds none that it accepts: one that has none would be given a
	// login. A person may accept it.
	PasswordHidden Problem = "password-not-shown"
	// VaultsBind: Vault itself binds with it to the directory. A person may
	// accept it.
	VaultsBind Problem = "vaults-bind"
	// KeptByVault: a secrets engine of Vault keeps its password and sets it
	// itself. A person may accept it.
	KeptByVault Problem = "kept-by-vault"
	// SharedRole: an AppRole has secret-ids that are not one consumer's. A
	// person may accept it.
	SharedRole Problem = "shared-role"
	// MD5Stored: PostgreSQL keeps the password by md5, and would keep the new
	// one by SCRAM, which not every client can do. A person may accept it.
	MD5Stored Problem = "md5-stored"
	// ServerRole: a superuser that nothing but a pattern ties to the device:
	// the working of the servers may hang on its password. A person may accept
	// it.
	ServerRole Problem = "server-role"
	// Replicates: servers of its authority replicate by it, or what takes their
	// log does. A person may accept it: it then goes last of its authority.
	Replicates Problem = "replicates"
	// NotAsked: its authority lets it in by something else than its password,
	// or has somebody else check that. A person may accept it.
	NotAsked Problem = "password-not-asked"
	// KeptElsewhere: the authority itself keeps its password a second time, for
	// what it does as this account. A person may accept it.
	KeptElsewhere Problem = "kept-elsewhere"
	// ComputerAccount: a computer's or a trust's, which no reset from outside
	// survives.
	ComputerAccount Problem = "computer"
	// ManagedAccount: the domain itself makes its password.
	ManagedAccount Problem = "managed-account"
	// NoField: the secret is there and has no such field, so that a new one
	// beside those that are there would be read by nobody.
	NoField Problem = "no-field"
	// NotBare: the field holds more than a bare secret (a document, several
	// lines), and which part of it is the secret is not known.
	NotBare Problem = "not-a-bare-secret"
	// UnusableValue: the field is neither text nor a number.
	UnusableValue Problem = "unusable-value"
	// NoMount: no mount of Vault that this login can see serves the path.
	NoMount Problem = "no-mount"
	// NotKV2: the mount of the path is not KV version 2.
	NotKV2 Problem = "not-kv2"
	// APIPath: the path is that of Vault's API (mount/data/…), and no secret
	// lies there.
	APIPath Problem = "api-path"
	// Malformed: the path is not written as Vault keeps it: an empty segment,
	// "." or "..", blanks at the ends of one, escapes as in a URL.
	Malformed Problem = "malformed-path"
	// DeletesItself: a setting in Vault deletes the new value after a time,
	// which would be its only copy.
	DeletesItself Problem = "deletes-itself"
	// DeletedVersion: the current version of the secret is deleted. An undelete
	// brings its value and its other fields back.
	DeletedVersion Problem = "deleted-version"
	// Unproved: nothing but a secret's own word ties the account to the device,
	// and the secret holds nothing that the account could accept.
	Unproved Problem = "unproved-path"
	// PerhapsIts: no path is known to be the account's, and one in Vault may
	// be. Its consumers would be cut off if the new value went to a path of
	// Rollcall's own.
	PerhapsIts Problem = "perhaps-its-path"
	// SameName: no source lists it, and it has the name of an account that the
	// roll has at another authority. Of a user of Vault's Paths are where that
	// account's secret lies.
	SameName Problem = "same-name"
	// OnlyInLogs: nothing but logs ties it to the device, and whoever may write
	// a log may name any account there.
	OnlyInLogs Problem = "only-in-logs"
	// NotNamed: an earlier campaign of the device left it open, and the
	// campaign file has no source any more that names it.
	NotNamed Problem = "no-longer-named"
	// TooManyPaths: more paths than MaxPaths name the account.
	TooManyPaths Problem = "too-many-paths"
)

// MaxPaths bounds the paths that one credential may gather: whoever writes
// Vault could otherwise make an entry of the roll that nothing can hold.
const MaxPaths = 32
