// Package protocol decides how a credential is rotated without being lost.
//
// It turns observed facts into the next step and does no I/O, so every row of
// the recovery table in docs/protocol.md is a test. What happened before a
// crash is never remembered: it is observed again.
package protocol

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"rollcall/internal/credential"
)

// Step is a place in the rotation of one credential.
type Step string

// The steps, in the order of docs/protocol.md#steps.
const (
	Precheck Step = "precheck"
	Stage    Step = "stage"
	Intent   Step = "intent"
	Set      Step = "set"
	Verify   Step = "verify"
	Activate Step = "activate"
	Retire   Step = "retire"
	Prove    Step = "prove"
	Outcome  Step = "outcome"
	Clean    Step = "clean"
)

// Behind reports whether a rotation comes to s later than to the other step.
func (s Step) Behind(other Step) bool {
	order := []Step{Precheck, Stage, Intent, Set, Verify, Activate, Retire, Prove, Outcome, Clean}
	return slices.Index(order, s) > slices.Index(order, other)
}

// Reply is what one server said to one value.
type Reply string

// Replies. Only Refused can be part of a proof of death, and only when the
// new value is Accepted by the same server straight after: every other
// refusal would have met any password.
const (
	NotAsked   Reply = ""
	Accepted   Reply = "accepted"    // logged in and carried out a real operation
	Refused    Reply = "refused"     // as a wrong secret
	MustChange Reply = "must-change" // logged in, everything else is refused until the owner changes it
	// PasswordExpired: the right value, and the login is refused until the
	// owner changes it or an administrator resets it (Active Directory). A
	// reset lifts it.
	PasswordExpired Reply = "password-expired"
	// Restricted: the right value, and the account may not log in now or from
	// here.
	Restricted Reply = "restricted"
	// NotCarried: nobody was asked, because a login as Rollcall makes it there
	// cannot carry the value.
	NotCarried Reply = "not-carried"
	// NotThisWay: the account takes no login of this sort, whatever the value,
	// and counts none.
	NotThisWay Reply = "not-this-way"
	Locked     Reply = "locked"
	// LockNotShown: refused as a locked account is, whatever the value, and its
	// entry shows no lock.
	LockNotShown Reply = "lock-not-shown"
	// LoginLocked: Vault itself refuses every login of the user for now,
	// whatever the password.
	LoginLocked Reply = "login-locked"
	// RoleLocked: too many wrong logins of consumers that were not told lock
	// out whoever logs in by the same role, with whatever value (AppRole).
	RoleLocked  Reply = "role-locked"
	Disabled    Reply = "disabled"
	Expired     Reply = "expired"
	Gone        Reply = "gone" // no such account
	Unreachable Reply = "unreachable"
	// Guest: let in, and not as the account: a guest, an anonymous user, or
	// whoever comes. Nothing was said about the value.
	Guest Reply = "guest"
	// TooMany: turned away for now because of the number of tries or
	// connections, whatever the value.
	TooMany Reply = "too-many"
)

// Right reports whether it says that the value was the right one, whatever that
// opened.
func (a Reply) Right() bool { return a == Accepted || a == MustChange || a == PasswordExpired }

// Reason says why a credential is still open. It is stable: it is written to
// the ledger and reports.
type Reason string

// Reasons.
const (
	ReasonNoAccount   Reason = "no-account"         // a path without an account
	ReasonAmbiguous   Reason = "ambiguous"          // more than one account matches
	ReasonGone        Reason = "gone"               // listed, and gone since
	ReasonLocked      Reason = "locked"             // nothing is changed on a locked account
	ReasonRoleLocked  Reason = "role-locked"        // Vault refuses every login of the role, also with the new secret-id
	ReasonLoginLocked Reason = "login-locked"       // Vault refuses every login of the user, also with the new password
	ReasonDisabled    Reason = "disabled"           //
	ReasonExpired     Reason = "expired"            //
	ReasonMustChange  Reason = "must-change"        // the new secret logs in and may do nothing
	ReasonRestricted  Reason = "restricted"         // no login now or from here, whatever the secret
	ReasonRights      Reason = "rights"             // the worker's identity may not do this
	ReasonReadOnly    Reason = "read-only"          // the write server takes no changes: a replica that is named first, most likely
	ReasonPolicy      Reason = "policy"             // the authority's policy refuses the new secret
	ReasonUnreachable Reason = "unreachable"        // a server of the authority does not answer
	ReasonVault       Reason = "vault-unreachable"  // sealed or down
	ReasonThrottled   Reason = "vault-throttled"    // a rate limit of Vault turns Rollcall away
	ReasonVaultLogin  Reason = "vault-login"        // Rollcall's login to Vault has ended or is about to
	ReasonVaultRights Reason = "vault-rights"       // Rollcall's login to Vault lacks a right
	ReasonVaultRefuse Reason = "vault-refused"      // Vault answers, and not with what was asked for
	ReasonNoGenerator Reason = "no-password-policy" // Vault has no usable password policy of the name that the file gives
	ReasonNotActive   Reason = "not-activated"      // set, and Vault did not take it: consumers are cut off
	ReasonLagging     Reason = "lagging"            // a replica has not seen the change
	ReasonContradicts Reason = "server-contradicts" // several machines answer as one server, and differ
	ReasonOldAccepted Reason = "old-accepted"       // a server still accepts the stolen secret
	ReasonNewRefused  Reason = "new-refused"        // a server refuses the new secret
	ReasonHeldBack    Reason = "held-back"          // not set, because a value that was set at this directory did not work
	ReasonConflict    Reason = "conflict"           // somebody else wrote the live path
	ReasonOtherOwner  Reason = "held-by-campaign"   // another running campaign is rotating it
	ReasonMorePaths   Reason = "more-paths"         // another campaign activated it at a path that this roll has not
	ReasonNeedsNone   Reason = "needs-no-secret"    // an AppRole takes a login without any secret-id
	ReasonSelf        Reason = "own-identity"       // the worker's own login; needs its own order
	ReasonWithinReach Reason = "within-reach"       // a login to Vault that is not dead yet, or a directory's account that may, could read the new value
	// ReasonDeviceAnswers: the compromised device is on the network again.
	ReasonDeviceAnswers Reason = "device-answers"
	ReasonByHand        Reason = "by-hand"            // only a person can change it, and has not said that it is done
	ReasonLedger        Reason = "ledger-unavailable" // nothing is set that the ledger cannot record
	ReasonRestaged      Reason = "restaged"           // a new attempt is staged and awaits its intent
	ReasonInterrupted   Reason = "interrupted"        // not reached, or broken off, before the worker stopped
	ReasonSuperseded    Reason = "superseded"         // a later campaign of the device took over
	ReasonInternal      Reason = "internal"           // a bug or an answer nobody expected

	// What the listing saw, see credential.Problem.
	ReasonSharedPath       Reason = "shared-path"
	ReasonNoOwner          Reason = "no-owner"
	ReasonNotAnAccount     Reason = "not-an-account"
	ReasonNoPassword       Reason = "no-password"
	ReasonAlias            Reason = "alias"
	ReasonBehindReferral   Reason = "behind-referral"
	ReasonCheckedElsewhere Reason = "checked-elsewhere"
	ReasonSecondCopy       Reason = "second-copy"
	ReasonPointsAtDevice   Reason = "points-at-device" // whoever reads the secret would take the new value to the device
	ReasonLeadsElsewhere   Reason = "leads-elsewhere"  // whoever reads the secret is sent to another host than before the device was in foreign hands
	ReasonCopyBeside       Reason = "copy-beside"      // the secret in Vault holds the same value in another field too
	ReasonHasKeytab        Reason = "has-keytab"
	ReasonVaultsBind       Reason = "vaults-bind"        // Vault itself binds with it to the directory
	ReasonKeptByVault      Reason = "kept-by-vault"      // a secrets engine of Vault keeps its password
	ReasonSharedRole       Reason = "shared-role"        // an AppRole has secret-ids that are not one consumer's
	ReasonMD5Stored        Reason = "md5-stored"         // PostgreSQL keeps its password by md5
	ReasonServerRole       Reason = "server-role"        // a superuser, listed by a pattern
	ReasonReplicates       Reason = "replicates"         // servers of its authority replicate by it
	ReasonNotAsked         Reason = "password-not-asked" // its authority lets it in by something else than its password
	ReasonKeptElsewhere    Reason = "kept-elsewhere"     // the authority itself keeps its password a second time
	ReasonComputer         Reason = "computer"
	ReasonManaged          Reason = "managed-account"
	ReasonUnproved         Reason = "unproved-path"      // nothing but the secret's own word says that the path is the account's
	ReasonNoField          Reason = "no-field"           // the secret has no such field
	ReasonNotBare          Reason = "not-a-bare-secret"  // the field holds more than the secret, and which part is the secret is not known
	ReasonUnusable         Reason = "unusable-value"     // the field is neither text nor a number
	ReasonNoMount          Reason = "no-mount"           // no mount that our login sees serves the path
	ReasonNotKV2           Reason = "not-kv2"            // the path's mount is no KV version 2
	ReasonAPIPath          Reason = "api-path"           // mount/data/…: that is how the API writes it
	ReasonMalformed        Reason = "malformed-path"     // an empty segment, "." or "..", an escape of a URL
	ReasonDeletesItself    Reason = "deletes-itself"     // Vault would delete the new value after a time
	ReasonDeleted          Reason = "deleted-version"    // the path's current version is deleted
	ReasonPerhapsIts       Reason = "perhaps-its-path"   // a path may be the account's own, and nothing says so for certain
	ReasonOnlyInLogs       Reason = "only-in-logs"       // nothing but logs ties it to the device
	ReasonNotNamed         Reason = "no-longer-named"    // an earlier campaign left it open, and the file has no source that names it
	ReasonManyPaths        Reason = "too-many-paths"     // more paths name the account than one credential may have
	ReasonSameName         Reason = "same-name"          // no source names it, and it has the name of an account of the roll
	ReasonForced           Reason = "forced-change"      // not set: its policy has each reset secret changed at the next login
	ReasonHeld             Reason = "held"               // another session has an open change of the account, which keeps ours waiting
	ReasonPasswordHidden   Reason = "password-not-shown" // not set: it may have no password at all
	ReasonNearLock         Reason = "near-lock"          // one more wrong login would lock the account

	// At a door, once every server of the authority has given its proof.
	ReasonDoorTakesOld   Reason = "cached-at-door"  // a door still takes the stolen secret
	ReasonDoorMayKeep    Reason = "may-be-cached"   // a door refused the stolen secret, and another process of it may take that still
	ReasonDoorRefusesNew Reason = "refused-at-door" // a door refuses the new secret, so its refusal of the old one proves nothing
	ReasonDoorSilent     Reason = "silent-door"     // a door says nothing about the secret
	ReasonDoorGuest      Reason = "unguarded-door"  // a door lets in whoever comes
	ReasonNotCarried     Reason = "not-carried"     // a login at a door cannot carry the secret
	ReasonFewUses        Reason = "few-uses"        // a door was not asked, which would spend what logins the new secret is good for
)

// Reasons that come of the look after the proof.
const (
	ReasonChangedSince   Reason = "changed-since-proof"       // somebody set another secret after the proof
	ReasonLoginSince     Reason = "login-changed-since-proof" // the role takes other secret-ids than the one that was proved, or none
	ReasonRenamedSince   Reason = "renamed-since-proof"       // its name means nothing any more, or another entry
	ReasonTakenBack      Reason = "taken-back-since-proof"    // a server shows an older secret than it did
	ReasonMadeAnew       Reason = "secret-made-anew"          // in Vault: what was activated there is another version by now
	ReasonPerhapsRead    Reason = "perhaps-read"              // a login to Vault that was found afterwards could read the new secret
	ReasonSecondPassword Reason = "second-password"           // the write server accepts the stolen secret, and the account's entry does not hold it

	ReasonWrittenOver Reason = "written-over" // what consumers read is not the new value any more, before the staged copy was given up
	// A secret in Vault sends whoever reads it to another host than when it was
	// listed.
	ReasonLedElsewhere Reason = "led-elsewhere"

	ReasonOverruled Reason = "change-refused" // a server keeps an older secret, because its entry was touched later
)

// Listed reports whether the listing itself found that the credential cannot be
// rotated.
func (r Reason) Listed() bool {
	switch r {
	case ReasonNoAccount, ReasonAmbiguous, ReasonSelf, ReasonSharedPath, ReasonNoOwner, ReasonNotAnAccount, ReasonNoPassword, ReasonAlias, ReasonBehindReferral,
		ReasonCheckedElsewhere, ReasonSecondCopy, ReasonCopyBeside, ReasonPointsAtDevice, ReasonLeadsElsewhere, ReasonHasKeytab, ReasonVaultsBind, ReasonKeptByVault, ReasonSharedRole, ReasonMD5Stored, ReasonServerRole, ReasonReplicates, ReasonNotAsked, ReasonKeptElsewhere, ReasonComputer, ReasonManaged,
		ReasonUnproved, ReasonNoField, ReasonNotBare, ReasonUnusable, ReasonNoMount, ReasonNotKV2,
		ReasonAPIPath, ReasonMalformed, ReasonDeletesItself, ReasonDeleted, ReasonPerhapsIts, ReasonOnlyInLogs, ReasonNotNamed, ReasonManyPaths, ReasonSameName:
		return true
	}
	return false
}

// Final reports whether trying again cannot help: the listing itself must
// change, or the campaign is no longer the one. The credential ends as an
// exception without waiting for the deadline.
func (r Reason) Final() bool {
	return r.Listed() || r == ReasonSuperseded || r == ReasonMorePaths || r == ReasonByHand
}

// Mendable reports whether a person can put it right, and nobody else.
func (r Reason) Mendable() bool { return r.Final() && r != ReasonSuperseded }

// OfAllVault reports whether Vault as a whole is the trouble, whatever the
// credential.
func (r Reason) OfAllVault() bool {
	return r == ReasonVault || r == ReasonThrottled || r == ReasonVaultLogin
}

// OfVault reports whether Vault is the trouble, with this credential or with
// all.
func (r Reason) OfVault() bool {
	return r.OfAllVault() || r == ReasonVaultRights || r == ReasonVaultRefuse
}

// Outage reports whether it says nothing of the credential itself: what was to
// be asked or told did not answer, or Rollcall broke off before it had looked.
func (r Reason) Outage() bool {
	return r.OfAllVault() || r == ReasonUnreachable || r == ReasonLedger || r == ReasonInterrupted
}

// WorksNot reports whether a value that was set a moment ago does not do what
// it is for, which may be so for every one that is set there. What else keeps
// accounts from logging in (a lock) is one account's own matter where its entry
// shows it.
func (r Reason) WorksNot() bool {
	return r == ReasonNewRefused || r == ReasonMustChange || r == ReasonRestricted
}

// NotSet reports whether the authority has clearly refused to set the value, so
// that it is not in force.
func (r Reason) NotSet() bool {
	return r == ReasonRights || r == ReasonPolicy || r == ReasonReadOnly || r == ReasonNeedsNone
}

// Immediate reports whether the next pass need not wait.
func (r Reason) Immediate() bool {
	return r == ReasonRestaged || r == ReasonInterrupted
}

// Stop ends the work on one credential for now. It is a value, not a failure of
// the batch: the credential stays open and is tried again until the deadline.
// Detail is for people and travels through Temporal: it must name neither a
// secret nor an account. Server is empty where no single server is meant.
type Stop struct {
	Reason Reason
	Server string
	Detail string
	// Until is when the authority says that a lock ends; zero if it does not.
	// No login is offered before.
	Until time.Time `json:",omitzero"`
	// Wait: what keeps it open ends by itself at Until, as the campaign file
	// says, and is waited for past the deadline.
	Wait bool `json:",omitempty"`
	// Awaits are the logins to Vault for which it waits (ReasonWithinReach);
	// nil where that is not known, or where they are many.
	Awaits credential.Refs `json:",omitempty"`
}

// LockedUntil adds to the Stop of a lock when it ends. A server's clock is not
// ours, so it is taken to end a little later than that.
func (s *Stop) LockedUntil(end time.Time) *Stop {
	if end.IsZero() {
		return s
	}
	out := *s
	out.Until = end.UTC().Truncate(time.Second)
	out.Detail += "; the server ends it by itself at " + out.Until.Format(time.RFC3339) + ", and it is tried again then"
	return &out
}

func (s *Stop) Error() string {
	if s.Server == "" {
		return fmt.Sprintf("%s: %s", s.Reason, s.Detail)
	}
	return fmt.Sprintf("%s at %s: %s", s.Reason, s.Server, s.Detail)
}

// GivenUp is what keeps a credential open whose work our own side broke off:
// its batch was cancelled, by an abort, or its worker stopped. It is nil for
// everything else, and for a deadline that has passed, for then a server kept
// us waiting. Err's own text may name paths and accounts.
func GivenUp(err error) *Stop {
	if !errors.Is(err, context.Canceled) {
		return nil
	}
	return &Stop{Reason: ReasonInterrupted, Detail: "the work on it was broken off in the middle of a call; the next pass looks at what was done"}
}

// AsStop makes a value of any trouble. What neither is a Stop nor says one (as
// the errors of internal/vault do) is an answer that was lost.
func AsStop(err error) *Stop {
	var stop *Stop
	if errors.As(err, &stop) {
		return stop
	}
	var says interface{ Stop() *Stop }
	if errors.As(err, &says) {
		return says.Stop()
	}
	if stop := GivenUp(err); stop != nil {
		return stop
	}
	text := err.Error()
	var named interface{ Public() string } // it names what may not travel
	if errors.As(err, &named) {
		text = named.Public()
	}
	return &Stop{Reason: ReasonUnreachable, Detail: text}
}

// Proof is the strength of a proof of death.
type Proof string

// Proofs, strongest first.
const (
	// ProofBind: every server refused the old value as wrong and accepted the
	// new one straight after.
	ProofBind Proof = "bind"
	// ProofRevoked: the authority lists the old secret no longer, and its
	// tokens are revoked.
	ProofRevoked Proof = "revoked"
	// ProofDoors: a person changed it, said so at each end, and at each end a
	// door refused the old value as wrong between two good logins with the new
	// one.
	ProofDoors Proof = "doors"
	// ProofMetadata: the old value is unknown to us; the change time advanced
	// on every server.
	ProofMetadata Proof = "metadata"
	// ProofAttested: at every end a person said, with a login of his own, that
	// it is done. What is at that end was not asked about the old value, or not
	// everywhere.
	ProofAttested Proof = "attested"
)

// DoorEvidence is what one door showed of the old secret, between two good
// logins with the new one.
type DoorEvidence struct {
	Door  string `json:"door"`
	At    string `json:"at"`            // as Evidence has it
	First Reply  `json:"first"`         // to the new value, before Old
	Old   Reply  `json:"old,omitempty"` // empty when the old value is unknown
	New   Reply  `json:"new"`           // to the new value, after Old
	// Why is the door's own code for the reply that broke the proof off; it
	// goes into the words of a Stop, and nowhere else.
	Why string `json:"-"`
}

// Evidence is what one server showed when the old secret was proved dead.
type Evidence struct {
	Server  string `json:"server"`
	At      string `json:"at"`                // RFC 3339, UTC, milliseconds, after the last answer
	Old     Reply  `json:"old,omitempty"`     // empty when the old value is unknown
	New     Reply  `json:"new"`               // after Old
	Changed string `json:"changed,omitempty"` // the server's own change time (pwdChangedTime)
	// OnlyOne: the server keeps one secret for the account, so New shows that
	// no other is in force.
	OnlyOne bool `json:"only_one,omitempty"`
}
