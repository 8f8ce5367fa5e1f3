package credential

// Reason is the evidence with which one source tied a credential to the device.
type Reason struct {
	Source string `json:"source"` // the source's name in the campaign file
	Type   string `json:"type"`   // manifest, vault-kv, directory, vault-approle, vault-userpass, postgresql-roles, evidence for what logs have, suggested for a row that a secret suggests, or own for what Rollcall itself works with
	Detail string `json:"detail"` // file and line, path, filter, CIDR: for people
	// Owner and Due are what a secret's metadata says of who sees to it if it
	// stays open, and for how long (24h). Whoever had the device may have
	// written that.
	Owner string `json:"owner,omitempty"`
	Due   string `json:"due,omitempty"`
}

// Finding is something an investigator must look at. It is not an error: the
// credential is rotated all the same where that is possible.
type Finding struct {
	Code   FindingCode `json:"code"`
	Detail string      `json:"detail,omitempty"` // no secret, and no account name when it travels through Temporal
}

// FindingCode is stable: it is written to the ledger and to reports.
type FindingCode string

// Findings.
const (
	// FindingNoAccount: see NoAccount.
	FindingNoAccount FindingCode = "path-without-account"
	// FindingAmbiguous: see Ambiguous.
	FindingAmbiguous FindingCode = "ambiguous-account"
	// Findings of the listing say what a problem of the same name is about.
	FindingNotAnAccount     FindingCode = "not-an-account"
	FindingNoPassword       FindingCode = "no-password"
	FindingAlias            FindingCode = "alias"
	FindingBehindReferral   FindingCode = "behind-referral"
	FindingCheckedElsewhere FindingCode = "checked-elsewhere"
	FindingSecondCopy       FindingCode = "second-copy"
	FindingCopyBeside       FindingCode = "copy-beside"
	FindingStoredAsSent     FindingCode = "stored-as-sent"
	FindingRestricted       FindingCode = "restricted"
	FindingPointsAtDevice   FindingCode = "points-at-device"
	FindingLeadsElsewhere   FindingCode = "leads-elsewhere"
	FindingHasKeytab        FindingCode = "has-keytab"
	FindingVaultsBind       FindingCode = "vaults-bind"
	FindingKeptByVault      FindingCode = "kept-by-vault"
	FindingSharedRole       FindingCode = "shared-role"
	FindingMD5Stored        FindingCode = "md5-stored"
	FindingServerRole       FindingCode = "server-role"
	FindingReplicates       FindingCode = "replicates"
	FindingKeptElsewhere    FindingCode = "kept-elsewhere"
	FindingComputer         FindingCode = "computer"
	FindingManaged          FindingCode = "managed-account"
	// FindingOnlyInLogs: see OnlyInLogs.
	FindingOnlyInLogs FindingCode = "only-in-logs"
	// FindingSameName: see SameName.
	FindingSameName FindingCode = "same-name"
	// FindingNotAsked: the authority lets the account in without its password,
	// or has somebody else check it.
	FindingNotAsked FindingCode = "password-not-asked"
	// FindingRootDN: the account may have a second password in the server's
	// configuration.
	FindingRootDN FindingCode = "perhaps-rootdn"
	// FindingSharedPath: see SharedPath.
	FindingSharedPath FindingCode = "shared-path"
	// FindingPathLeftOut: the campaign file leaves out a path of the account,
	// which is rotated.
	FindingPathLeftOut FindingCode = "path-left-out"
	// FindingTwoPaths: one account, several paths in Vault; all are kept
	// current.
	FindingTwoPaths FindingCode = "several-paths"
	// FindingWordRefused: somebody said of a task that it is done, or gave it
	// away, and it was not his to say.
	FindingWordRefused FindingCode = "word-refused"
	// FindingOwner: who sees to a task is unknown to Vault, counts for nothing
	// or cannot log in.
	FindingOwner FindingCode = "owner-cannot-do-it"
	// FindingAnotherValue: what an ended campaign handed over of a task is not
	// handed over again, and another value was made.
	FindingAnotherValue FindingCode = "another-value-made"
	// FindingTakenFromPeople: nobody is asked any more to do a task, and what
	// was handed over was taken back.
	FindingTakenFromPeople FindingCode = "taken-from-people"
	// FindingAttestedThen: what an earlier campaign has as dead was said by
	// somebody whose word counts for nothing by now.
	FindingAttestedThen FindingCode = "attested-by-a-doubt"
	// FindingStalePath: the authority refused a path's value, and accepted
	// another path's; the path is left as it is.
	FindingStalePath FindingCode = "stale-path"
	// FindingChangedBefore: the value that Vault holds was refused before we
	// touched anything: an administrator, or the attacker, changed it.
	FindingChangedBefore FindingCode = "changed-before-rotation"
	// FindingChangedAfter: our new value was in force and then stopped working.
	FindingChangedAfter FindingCode = "changed-after-rotation"
	// FindingChangedDuring: something replaced our value between Set and
	// Activate.
	FindingChangedDuring FindingCode = "changed-during-rotation"
	// FindingUndone: the reset was in force and then was not, without somebody
	// else's change: replication put an older entry back, or kept it. The same
	// value was set again.
	FindingUndone FindingCode = "reset-undone"
	// Findings of the look at the end: each is open again for the reason of the
	// same name.
	FindingLoginSince   FindingCode = "login-changed-since-proof"
	FindingRenamedSince FindingCode = "renamed-since-proof"
	FindingTakenBack    FindingCode = "taken-back-since-proof"
	FindingMadeAnew     FindingCode = "secret-made-anew"
	FindingPerhapsRead  FindingCode = "perhaps-read"
	// FindingHandedOver: a person's temporary password was changed once, as its
	// owner was to do.
	FindingHandedOver FindingCode = "temporary-value-changed"
	// FindingNotLookedAgain: at the end of the campaign a server besides the
	// write server showed some accounts no more. In ledgers of earlier versions
	// it is FindingUnseenAtEnd too.
	FindingNotLookedAgain FindingCode = "not-looked-again"
	// FindingUnseenAtEnd: at the end of the campaign some accounts could not be
	// looked at on every server that proved them dead.
	FindingUnseenAtEnd FindingCode = "unseen-at-the-end"
	// FindingNotAskedAgain: at the end of the campaign no door of a task was
	// asked, for what was handed over was never written at the path of its row,
	// and is kept nowhere else.
	FindingNotAskedAgain FindingCode = "not-asked-again"
	// FindingLockedSince: dead, and the account was locked afterwards.
	FindingLockedSince FindingCode = "locked-since-proof"
	// FindingRationed: the account locks so soon that the old value was not
	// offered.
	FindingRationed FindingCode = "proof-rationed"
	// FindingOutlived: the old value was still accepted after it was retired,
	// so another new value was set.
	FindingOutlived FindingCode = "old-value-outlived"
	// FindingTokensRevoked: live tokens of the old secret existed and were
	// revoked.
	FindingTokensRevoked FindingCode = "tokens-revoked"
	// FindingExtraSecretIDs: the role had secret-ids besides the one Vault KV
	// held.
	FindingExtraSecretIDs FindingCode = "extra-secret-ids"
	// FindingLimits: a new secret-id cannot take over all that the old ones of
	// the role are limited by, or is bound to addresses.
	FindingLimits FindingCode = "secret-id-limits"
	// FindingBatchTokens: the role mints batch tokens, which Vault cannot
	// revoke.
	FindingBatchTokens FindingCode = "batch-tokens"
	// FindingNewerToken: it fits what a source says of tokens, and was made
	// later than what the device had.
	FindingNewerToken FindingCode = "newer-token"
	// FindingOrphanTokens: tokens live that a login may have made and that
	// nothing ties to it.
	FindingOrphanTokens FindingCode = "orphan-tokens"
	// FindingFollows: what takes the servers' log by the account was not ended
	// with the account's sessions.
	FindingFollows FindingCode = "replication-goes-on"
	// FindingProtected: the account is in a protected group of Active
	// Directory, so rights delegated on its organizational unit do not reach
	// it.
	FindingProtected FindingCode = "protected-account"
	// FindingResetsOthers: the account may set the passwords of others on the
	// roll.
	FindingResetsOthers FindingCode = "may-reset-others"
	// FindingReadsOthers: the account may fetch the hashes of all passwords of
	// its directory, and so what others are set to. As a warning: one that is
	// left out may.
	FindingReadsOthers FindingCode = "may-read-passwords"
	// FindingPersonAndService: one source lists the account as a person's and
	// another as a service's, so it was rotated as the latter.
	FindingPersonAndService FindingCode = "person-and-service"
	// FindingPerhapsPerson: the account's entry has what people's have, no
	// source lists it as a person's, and nothing reads its password in Vault.
	FindingPerhapsPerson FindingCode = "may-be-a-person"
	// FindingNotForced: nothing makes a person change the temporary password.
	FindingNotForced FindingCode = "change-not-forced"
	// FindingPathRefused: the account refuses what a path holds, so the path
	// was not written: somebody changed the password, or the path is another
	// account's, perhaps since an earlier campaign put a value there.
	FindingPathRefused FindingCode = "path-refused"
	// FindingLeftBehind: as FindingStalePath, and what made it so may be an
	// earlier campaign of Rollcall, whose roll had not got the path.
	FindingLeftBehind FindingCode = "left-behind"
	// FindingSparePath: none of the account's paths took part, and the new
	// value lies at Rollcall's own path.
	FindingSparePath FindingCode = "at-rollcalls-own-path"
	// FindingPlace: something about a path in Vault keeps the credential open.
	FindingPlace FindingCode = "unusable-path"
	// FindingConfirmed: a person named a path for the account, and the account
	// refused what it held.
	FindingConfirmed FindingCode = "confirmed-by-a-person"
	// FindingNotNamed: an earlier campaign of the device left it open, and no
	// source names it now.
	FindingNotNamed FindingCode = "no-longer-named"
	// FindingNeverHeld: Vault never held the old value, so no bind can prove it
	// dead.
	FindingNeverHeld FindingCode = "old-value-unknown"
)

// Warnings: findings about the listing as a whole (Roll.Warnings).
const (
	// FindingEmptyRoll: nothing was listed.
	FindingEmptyRoll FindingCode = "empty-roll"
	// FindingSourceEmpty: a source of the campaign file found nothing.
	FindingSourceEmpty FindingCode = "source-found-nothing"
	// FindingAccepted: the campaign file accepts what would be a warning.
	FindingAccepted FindingCode = "accepted"
	// FindingTriedOnly: logs have accounts that were tried from the device and
	// refused. They are not taken up.
	FindingTriedOnly FindingCode = "tried-from-device"
	// FindingLogsHaveMore: logs have more logins from the device than are taken
	// up, or some whose name is not known.
	FindingLogsHaveMore FindingCode = "logs-have-more"
	// FindingNotSearched: a part of a directory is on a server that was not
	// searched.
	FindingNotSearched FindingCode = "part-not-searched"
	// FindingMoreServers: the directory knows of servers that the campaign does
	// not ask.
	FindingMoreServers FindingCode = "more-servers"
	// FindingOtherSpellings: a door may keep old logins by spellings of a login
	// name that are not asked.
	FindingOtherSpellings FindingCode = "other-spellings"
	// FindingNotProvider: the first server of a directory takes no changes, or
	// hands them on to another.
	FindingNotProvider FindingCode = "not-the-provider"
	// FindingSameIDs: an authority shows the same ids of itself as one that
	// campaigns had under another name. No roll has it: it is accepted, or the
	// listing is refused.
	FindingSameIDs FindingCode = "same-ids"
	// FindingForced: a policy has each reset password changed at the next
	// login.
	FindingForced FindingCode = "forced-change"
	// FindingOtherSecrets: a secret of the roll has more that looks like
	// credentials, which nobody rotates.
	FindingOtherSecrets FindingCode = "other-secrets"
	// FindingNewSecret: a person's list or the campaign file names a secret
	// that is not there, so that one is made. As a warning: nobody says that it
	// is a new one, so the name may be mistyped.
	FindingNewSecret FindingCode = "new-secret"
	// FindingPasswordHidden: whether entries have a password at all is not
	// shown.
	FindingPasswordHidden FindingCode = "password-not-shown"
	// FindingStorageHidden: how a directory keeps passwords of its entries is
	// not shown, so neither is which of them bar the account or name another
	// system.
	FindingStorageHidden FindingCode = "storage-not-shown"
	// FindingCopiesHidden: whether accounts of a directory keep their password
	// a second time is not shown.
	FindingCopiesHidden FindingCode = "copies-not-shown"
	// FindingResetsHidden: who may reset whom is not shown.
	FindingResetsHidden FindingCode = "resets-not-shown"
	// FindingOtherClusters: Vault is one of several clusters, each with tokens
	// of its own.
	FindingOtherClusters FindingCode = "other-clusters"
	// FindingSynced: Vault pushes secrets to other stores, or does not show it.
	FindingSynced FindingCode = "synced-elsewhere"
	// FindingRulesHidden: by what an authority lets accounts in is not shown.
	FindingRulesHidden FindingCode = "login-rules-hidden"
	// FindingFieldBeside: a field beside another account's may hold the
	// password of one that is rotated at other paths.
	FindingFieldBeside FindingCode = "perhaps-its-field"
	// FindingKeptHidden: which passwords an authority keeps a second time is
	// not shown.
	FindingKeptHidden FindingCode = "kept-passwords-hidden"
	// FindingReplicatorsHidden: as which accounts the servers of a directory
	// log in to each other is not shown.
	FindingReplicatorsHidden FindingCode = "replicators-not-shown"
	// FindingServers: something about how the servers of a directory were
	// found.
	FindingServers FindingCode = "servers"
	// FindingExcludeNothing: an exclude of the campaign file takes nothing off
	// the roll. What was to keep its value may be on it by another name.
	FindingExcludeNothing FindingCode = "exclude-takes-nothing"
	// FindingExcludeMistyped: as that, and something of a like name is on the
	// roll. No campaign begins with it.
	FindingExcludeMistyped FindingCode = "exclude-mistyped"
	// FindingReloadNothing: a used_by of the campaign file that reloads its
	// consumers names no path of the roll: they are not told.
	FindingReloadNothing FindingCode = "used-by-matches-nothing"
	// FindingExcludeUnused: an accept, confirm or used_by of the campaign file
	// means nothing that is there.
	FindingExcludeUnused FindingCode = "exclude-matches-nothing"
	// FindingOtherWays: a way into Vault that an account of the roll may open,
	// and that is not closed.
	FindingOtherWays FindingCode = "other-way-into-vault"
	// FindingVaultHidden: what would tell which accounts Vault itself works
	// with, or lets in, may not be read by this login.
	FindingVaultHidden FindingCode = "vault-not-shown"
	// FindingLoginExcluded: a login to Vault that the device had is left out.
	// It may read what is set.
	FindingLoginExcluded FindingCode = "login-excluded"
	// FindingMade: what a login to Vault of the roll may have made or changed
	// there outlives it.
	FindingMade FindingCode = "may-have-made"
	// FindingReader: somebody who is not on the roll may read new values in
	// Vault: by a token that no login of the roll made, or a login that no
	// source lists.
	FindingReader FindingCode = "other-reader"
	// FindingNotTakenUp: what another listing found while the campaign ran is
	// not taken up by it.
	FindingNotTakenUp FindingCode = "not-taken-up"
	// FindingAlsoReadable: a stolen login of the roll, or whoever reads a path
	// of it, reads more in Vault than the roll has.
	FindingAlsoReadable FindingCode = "also-readable"
	// FindingNewReader: such a token was made after the listing.
	FindingNewReader FindingCode = "reader-since-listing"
	// FindingAudit: whether an audit device of Vault writes values as they are
	// is not known.
	FindingAudit FindingCode = "audit-not-shown"
	// FindingLeftStaged: a value that may be in force lies in staging alone, of
	// an account that is not on the roll.
	FindingLeftStaged FindingCode = "left-staged"
	// FindingMissing: a source that is unchanged names less than it did in the
	// last campaign.
	FindingMissing FindingCode = "missing-from-sources"
	// FindingOpenElsewhere: a campaign of another device left open what nothing
	// here names. It may be this device by another name.
	FindingOpenElsewhere FindingCode = "open-of-other-device"
	// FindingSmallerRoll: what the last campaign proved dead is not on this
	// roll, by the campaign file.
	FindingSmallerRoll FindingCode = "smaller-roll"
	// FindingUnanswered: lines of the device's profile that nobody answered,
	// and that a person went on without.
	FindingUnanswered FindingCode = "unanswered-lines"
	// FindingLater: lines of the device's profile that somebody sees to later.
	FindingLater FindingCode = "answered-later"
	// FindingNotContained: the device may not be contained, and a person went
	// on all the same.
	FindingNotContained FindingCode = "not-contained"
	// FindingCameBack: the device answered while the campaign ran.
	FindingCameBack FindingCode = "device-came-back"
	// FindingFlushed: what a door kept of the stolen value was to be ended by
	// the operator's command or web hook, which did its work;
	// FindingFlushFailed: which did not.
	FindingFlushed     FindingCode = "door-flushed"
	FindingFlushFailed FindingCode = "flush-failed"
	// FindingNotifyFailed: a receiver of the campaign file was not told how the
	// campaign goes.
	FindingNotifyFailed FindingCode = "notify-failed"
	// FindingNotCarried: no login at a door of the credential can carry what a
	// path of it holds.
	FindingNotCarried FindingCode = "not-carried"
	// FindingDoorUnmatched: a line of for: of a door matches nothing of the
	// roll.
	FindingDoorUnmatched FindingCode = "door-matches-nothing"
	// FindingUnfitDoor: a door is not what the campaign file says, or lets in a
	// user that cannot exist.
	FindingUnfitDoor FindingCode = "unfit-door"
	// FindingUnknownDoor: a secret's metadata names a door that the campaign
	// file does not have: nothing is asked there.
	FindingUnknownDoor FindingCode = "unknown-door"
	// FindingDoorsShowLess: doors take what a person changes, or a person's
	// account that gets a temporary value, and cannot be asked about the stolen
	// value, or at all. As a warning: such a door may keep old logins.
	FindingDoorsShowLess FindingCode = "doors-show-less"
	// FindingUnknownLine: a secret's metadata names a line that the device's
	// profile does not have.
	FindingUnknownLine FindingCode = "unknown-line"
	// FindingSecretInMetadata: the custom metadata of a secret holds what is a
	// secret, or may be one, where a name belongs. It is used for nothing.
	FindingSecretInMetadata FindingCode = "secret-in-metadata"
	// FindingOwnLogin: a login of Rollcall itself stays as it is.
	FindingOwnLogin FindingCode = "own-login"
)

// LivesOn reports whether something that a login to Vault minted may live
// although the login itself is dead: it counts as open for others until a
// person accepts it.
func (f FindingCode) LivesOn() bool { return f == FindingBatchTokens || f == FindingOrphanTokens }

// ByDoing reports whether it was found by something that Rollcall did to a
// credential (revoked, destroyed, set again), so that nobody who looks later
// finds it again.
func (f FindingCode) ByDoing() bool {
	switch f {
	case FindingTokensRevoked, FindingExtraSecretIDs, FindingUndone, FindingChangedDuring, FindingChangedAfter, FindingStoredAsSent:
		return true
	}
	return false
}

// Undelivered reports whether consumers may read another value than the one in
// force, because of what Rollcall did: exit code 2 until a person has answered.
func (f FindingCode) Undelivered() bool {
	return f == FindingSparePath || f == FindingLeftBehind || f == FindingPathRefused
}

// Incomplete reports whether a warning says that something may be missing from
// the roll or from the servers that are asked, or that who is left out of it
// may read the rest: a campaign that killed all that is on it is not done then.
func (f FindingCode) Incomplete() bool {
	switch f {
	case FindingEmptyRoll,
		FindingDoorUnmatched,
		FindingUnfitDoor,
		FindingExcludeNothing,
		FindingExcludeMistyped,
		FindingReloadNothing,
		FindingDoorsShowLess,
		FindingFieldBeside,
		FindingNewSecret,
		FindingOtherSecrets,
		FindingSourceEmpty,
		FindingLeadsElsewhere,
		FindingLogsHaveMore,
		FindingNotSearched,
		FindingLoginExcluded,
		FindingMoreServers,
		FindingOtherSpellings,
		FindingLeftStaged,
		FindingMissing,
		FindingOpenElsewhere,
		FindingMade,
		FindingVaultHidden,
		FindingReader,
		FindingNotTakenUp,
		FindingAlsoReadable,
		FindingNewReader,
		FindingUnanswered,
		FindingLater,
		FindingRulesHidden,
		FindingOtherClusters,
		FindingSynced,
		FindingKeptHidden,
		FindingReplicatorsHidden,
		FindingResetsHidden,
		FindingReadsOthers,
		FindingNotContained,
		FindingCameBack,
		FindingStoredAsSent,
		FindingNewerToken,
		FindingStorageHidden,
		FindingCopiesHidden,
		FindingUnseenAtEnd:
		return true
	}
	return false
}
