package report

import (
	"rollcall/internal/credential"
	"rollcall/internal/protocol"
)

// advice is how a code is put to people: what it means and what to do.
type advice struct{ Title, Next string }

// reasons has an entry for each protocol.Reason; a test holds it to that.
var reasons = map[protocol.Reason]advice{
	protocol.ReasonNoAccount:      {"The account that a source names is not there", "Find out whether it was deleted, renamed, mistyped, or lies outside of base. If it is gone, exclude it with that reason; if not, correct the source or the secret's metadata, and run again."},
	protocol.ReasonAmbiguous:      {"More than one account matches", "Name the account by its DN or entryUUID in the source, then list again."},
	protocol.ReasonGone:           {"The account disappeared after it was listed", "Confirm who deleted it. A deleted account accepts nothing, but a restored one would accept the stolen value again."},
	protocol.ReasonLocked:         {"The account is locked", "Unlock it (OpenLDAP: delete pwdAccountLockedTime; 000001010000Z is an administrator's lock, which never expires), or wait for the lock to expire. A locked account refuses every value, so its refusal proves nothing. Ask who locked it: guessing with stolen values does that."},
	protocol.ReasonRoleLocked:     {"Vault has locked the AppRole", "Some consumer, or a thief, goes on with a destroyed secret-id, and five wrong ones lock the role for everybody, with the new one too. Find who it is in Vault's audit log and stop it, then unlock the role (sys/locked-users) or wait 15 minutes."},
	protocol.ReasonLoginLocked:    {"Vault has locked the user", "Some consumer, or a thief, goes on with an old password, and five wrong ones lock the name, whatever the password is by then. Find who it is in Vault's audit log and stop it, then unlock the user (vault write -f sys/locked-users/MOUNT-ACCESSOR/unlock/NAME) or wait 15 minutes."},
	protocol.ReasonDisabled:       {"The account is disabled", "Enable it for the rotation, or delete it. Enabled later without a rotation, it would accept the stolen value."},
	protocol.ReasonExpired:        {"The account or its password is expired", "Extend the expiry for the rotation, or delete the account."},
	protocol.ReasonMustChange:     {"The new value logs in and may do nothing", "Clear the reset mark (OpenLDAP: pwdReset) or exempt the account from pwdMustChange; in Active Directory grant the bind identity the right Unexpire Password on the domain. Then run again."},
	protocol.ReasonRestricted:     {"The account may not log in now or from here", "Lift logonHours or userWorkstations for the time of the campaign. Until a login can be tried, nothing proves the stolen value dead."},
	protocol.ReasonRights:         {"Rollcall's identity may not do this", "Do what the detail says, if it says something. Else grant its bind identity the right to set this password (OpenLDAP: manage on userPassword), or its Vault policy the capability named in the detail. `rollcall doctor` checks both."},
	protocol.ReasonReadOnly:       {"The server that is written to takes no changes", "Name the provider (the supplier, a writable domain controller) as the first of servers, and run again; a replica stays among them, behind it. If its database was made read-only, let it take changes for the time of the campaign. Nothing was set, and no right is missing."},
	protocol.ReasonPolicy:         {"The authority's policy refuses the new value", "Fit the password policy in the campaign file to the directory's (length, character classes), or give the bind identity manage instead of write, then run again."},
	protocol.ReasonUnreachable:    {"A server does not answer", "Bring the server back. If it is gone for good, leave it out of this campaign by name (`rollcall leave-out`) and take it out of the directory. Until it has refused the stolen value, count that value as good there."},
	protocol.ReasonVault:          {"Vault does not answer", "Bring it back or unseal it. Nothing is set while it takes no writes."},
	protocol.ReasonThrottled:      {"A rate limit of Vault turns Rollcall away", "Raise the quota (sys/quotas/rate-limit) for Rollcall's paths or role, or lower limits.parallel and limits.concurrency."},
	protocol.ReasonVaultLogin:     {"Rollcall's login to Vault has ended or is about to", "Log in again and run the same command. An AppRole (ROLLCALL_ROLE_ID, ROLLCALL_SECRET_ID_FILE) logs in again by itself."},
	protocol.ReasonVaultRights:    {"Rollcall's login to Vault lacks a right", "Grant the capability that the detail names (`rollcall init` writes the policies). `rollcall doctor` names the path."},
	protocol.ReasonVaultRefuse:    {"Vault answers, and not with what was asked for", "See the detail: a mount or a secret of that name may not be there. `rollcall doctor` looks at each."},
	protocol.ReasonNoGenerator:    {"Vault has no usable password policy of that name", "Write the policy that the detail names into Vault (sys/policies/password), or correct password.vault_policy in the campaign file. Nothing was set."},
	protocol.ReasonNotActive:      {"Its password was changed and waits in staging", "Urgent: its consumers are cut off until Vault takes the new value. Put right what the detail says of Vault; the next pass activates it before anything else. Nothing is lost: the value is in Vault, and no password has to be set by hand."},
	protocol.ReasonLagging:        {"A replica has not seen the change", "Repair replication to that server. Until then the stolen value may still be good there."},
	protocol.ReasonContradicts:    {"Several machines answer as one server", "Name each machine behind that address by its own: ldaps://NAME@ADDRESS, where NAME is in its certificate. Then run again. Until each has refused the stolen value, count that value as good there."},
	protocol.ReasonOldAccepted:    {"A server still accepts the stolen value", "Urgent: the stolen value works there now. On another server than the first, repair replication to it or take it off the network. On the first, find out what puts it back or keeps it somewhere else."},
	protocol.ReasonNewRefused:     {"A server refuses the new value", "Check replication and the account's state on that server. Consumers that use it cannot log in."},
	protocol.ReasonConflict:       {"Somebody else wrote the secret in Vault", "Find out who wrote the live path (Vault's audit log) and stop it, then run again. The new value is safe in staging."},
	protocol.ReasonOtherOwner:     {"Another campaign is rotating it", "Let that campaign finish or abort it, then run again."},
	protocol.ReasonMorePaths:      {"Another campaign put its value at a path that this one does not know", "Several devices know the account, each by a path of its own. Run again: the next campaign lists that path too and keeps all of them current."},
	protocol.ReasonSelf:           {"It is Rollcall's own login", "Name two bind identities that reset each other, or rotate it by hand, last."},
	protocol.ReasonByHand:         {"A person has to change it", "Its task says what is to be done at which end, by whom and until when (`rollcall tasks show NAME`). Whoever has done an end says so with a login to Vault of his own (`rollcall tasks done NAME --end END`); it is dead when all ends are. `rollcall tasks reassign` gives it to somebody else. Until then count the stolen value as good."},
	protocol.ReasonDeviceAnswers:  {"The device is on the network again", "Contain it. Nothing is set while it answers, and this follows by itself when it is silent. Find out what let it back: whoever is on it may have read what was set before."},
	protocol.ReasonWithinReach:    {"A stolen login to Vault could read the new value", "See the login of the roll that is still open, and mend that: this one follows by itself. If it has to go on before, accept it by name and with a reason (`rollcall accept-open`): whoever has that login then learns the new value."},
	protocol.ReasonLedger:         {"The ledger could not be written", "Start the ledger worker or make room on its disk. Nothing is set that the ledger cannot record."},
	protocol.ReasonRestaged:       {"A new attempt is staged", "Nothing; the next pass takes it."},
	protocol.ReasonInterrupted:    {"The work stopped before its turn", "Run it again: what has been done is seen and kept."},
	protocol.ReasonSuperseded:     {"A later campaign of the device took over", "Look at that campaign: it lists the credential again. If nobody meant to start it, find out who did."},
	protocol.ReasonUnproved:       {"Nothing but the secret itself says whose it is", "The account did not accept what the path holds, and whoever had the device may have written the metadata that names it. Nothing was changed. Ask who reads the path: if it is this account's, say so (confirm: account and path, in the campaign file) and run again; else exclude the path, and find out who wrote its metadata."},
	protocol.ReasonNoField:        {"The secret has no such field", "The finding names the fields that are there. Correct custom_metadata field or the manifest's path, or confirm the path with the right field, then list again: a new field beside them would be read by nobody. Where only the secret itself names the account, and it is not its own, exclude the path: the account is then rotated."},
	protocol.ReasonNotBare:        {"The field holds more than a bare secret", "Give the secret a field of its own and name it, then list again; or exclude the path, if it is not the account's: the account is then rotated. Connection strings, addresses with a password in them, JSON, env files, properties and plain YAML with one password, quotes, base64 and Basic are understood; other forms would be destroyed. A value that may be a password as it stands, or hold one (quotes, base64, NAME=, the account's own name before it), is offered in both ways where the account bears two wrong logins, and the account decides."},
	protocol.ReasonCopyBeside:     {"Another field of the secret holds the same value", "The finding names the field. Let what reads it there read the field of the path, and take the copy out, then run again. If nothing reads it, say so by name under accept in the campaign file: the copy then stays as it is."},
	protocol.ReasonUnusable:       {"The field is neither text nor a number", "Name the field that holds the password, or exclude the path if it is not the account's, then list again. Nothing is wrong with Vault."},
	protocol.ReasonNoMount:        {"No mount of Vault serves the path", "Make the mount (KV version 2), correct the path, or give Rollcall's login a right below it, then list again."},
	protocol.ReasonNotKV2:         {"The path's mount is not KV version 2", "Upgrade it (vault kv enable-versioning) or move the secret, then list again. Nothing was written there."},
	protocol.ReasonAPIPath:        {"The path is written as Vault's API writes it", "Leave data/ out (kv/apps/x, not kv/data/apps/x), then list again."},
	protocol.ReasonMalformed:      {"The path is not written as Vault keeps it", "Write it as mount/path#field, as `vault kv get` takes it: no empty segment (//), no \".\" and \"..\", no blanks at the ends of a segment, and characters as they are (not %20). Then list again."},
	protocol.ReasonDeletesItself:  {"Vault would delete the new value after a time", "Set delete_version_after to 0 on the secret and on its mount, then run again: the new value would be the only copy there is. If the path is not the account's, exclude it."},
	protocol.ReasonDeleted:        {"The path's current version is deleted", "vault kv undelete brings its value and its other fields back; then list again. Or exclude the path."},
	protocol.ReasonHeldBack:       {"Not set, because a new value that was set at this directory did not work", "Read the detail of the credential that is new-refused or must-change there, and mend that first: a policy that has each reset password changed (pwdMustChange, passwordMustChange), or a rule that does not let accounts log in from this machine. Its next pass shows that values work again, and the rest follow by themselves. If it is that account's own matter, exclude it and run again. This one is as it was."},
	protocol.ReasonHeld:           {"Another session holds the account", "Its open transaction keeps every change of the role waiting, and the stolen value alive. Rollcall ends sessions of the role itself; this one is somebody else's. Find out who it is, as the detail says, and end it or have it ended; the next pass sets the password. Nothing was set."},
	protocol.ReasonPasswordHidden: {"Whether the account has a password was not shown", "Let Rollcall's role see whether roles have a password (the function in docs/rights.md), and run again: one without is then left as it is. Or put the password that it has into Vault; or, where a person knows that it has one, accept it by name (password-not-shown). Nothing was set."},
	protocol.ReasonForced:         {"Its policy has each reset password changed at the next login", "Set pwdMustChange (389 Directory Server: passwordMustChange) off in the account's policy for the time of the campaign, or give it a policy without it: the next pass sets it. Nothing was set, because its consumers cannot change a password and would be cut off. Where the bind identity has write and not manage on userPassword, slapd 2.5 does not hold it to that: accept it by name (forced-change)."},
	protocol.ReasonNearLock:       {"One more wrong login would lock the account", "Raise the lock-out threshold for the time of the campaign, and find out who offers wrong values. Or confirm the path by name (confirm in the campaign file): then it need not be asked whose the path is."},
	protocol.ReasonNotNamed:       {"Left open by an earlier campaign, and no source names it any more", "Its finding names that campaign. Name it again (a manifest, its tag, the secret's metadata), and it is rotated; or exclude it with a reason, by account, by path, or by campaign for all that were left open there. Nothing was done to it: whoever changed the campaign file may have meant to leave it alone."},
	protocol.ReasonPerhapsIts:     {"A path in Vault may be its own, and nothing says so for certain", "Its finding names the path: say whether it is this account's (a manifest, custom_metadata, or an exclude), then list again. It is not rotated before: the new value would go to a path of Rollcall's own, and what reads that one would be cut off."},
	protocol.ReasonSameName:       {"A user of Vault's has the name of an account of the roll", "Ask whose login it is. If the device had its password too, list it (a source of type vault-userpass, or a line of a manifest with kind userpass-password) and run again: it is rotated before all else. If it has nothing to do with the device, exclude it by name (account: MOUNT/NAME). Nothing was set that it could read."},
	protocol.ReasonManyPaths:      {"Too many paths name the account", "Find out who wrote their metadata. Exclude those that are not its own, or confirm its places and say that they are all (only: true), then list again."},
	protocol.ReasonInternal:       {"An answer that nobody expected", "Keep the worker's log and report it as a bug with the detail below. The credential counts as open."},

	protocol.ReasonSecondPassword: {"The server takes the stolen value from somewhere else than the entry", "Urgent: the stolen value works, and no reset of the account ends it. In OpenLDAP it is the rootpw (slapd.conf) or olcRootPW (cn=config) of a rootdn with the account's name: change it on every server that has it, restart slapd where it stands in slapd.conf, then run again. Elsewhere find the system that the server asks about passwords (saslauthd, PAM, a pass-through plug-in), and change it there. Consumers have the new value already."},

	// After the proof, and between servers.
	protocol.ReasonOverruled:    {"A server keeps the older password, because its entry was touched later", "It does not follow by itself any more, although it says that it has everything: a login there, before the reset had come, made its entry the newer one. Rollcall sets the same value again. If it stays so, compare the servers' clocks, keep logins for the account off that server (the stolen value is being tried there), and run again. Do not touch the account on that server."},
	protocol.ReasonWrittenOver:  {"Consumers do not get the new password any more", "The stolen value is dead. After that somebody wrote over the secret, deleted it or made it anew, so its consumers read something else; Rollcall keeps the password in force in its staging. Find out who or what writes there (the versions' metadata in Vault say when), stop it, and run again."},
	protocol.ReasonChangedSince: {"Somebody set another password after the proof", "The stolen value was proved dead, and then the password was changed. Ask the owner. If nobody did it, a thief has kept a connection that was logged in before: close the account's connections on every server (docs/rights.md), then run again."},
	protocol.ReasonLoginSince:   {"A login to Vault was changed after its proof", "The stolen secret-id was proved dead, and then the role was changed as the detail says. Ask who did it (Vault's audit log has the role's paths). A secret-id that nobody owns up to is a way in: run again, which destroys all but a new one and revokes their tokens; then take the right to write the role from whoever has no need of it."},
	protocol.ReasonRenamedSince: {"The account's name means something else by now", "Find out who renamed or moved the entry, and who made another one under its name: with the stolen password that one lets a thief in where consumers log in. Put the name right, or list the account by its new one, then run again."},
	protocol.ReasonTakenBack:    {"A server shows an older password than it did", "Count the stolen value as good there. Somebody restored a backup, or replication took the change back: repair that, compare the servers' clocks, then run again."},
	protocol.ReasonMadeAnew:     {"The secret in Vault was deleted, and perhaps made anew, after the proof", "Find out in Vault's audit log who deleted it with its metadata: consumers read what he wrote, or nothing. Run again, which sets another value; what the path holds then counts only if the account accepts it."},

	protocol.ReasonSharedPath:       {"One path for several accounts", "A path holds one value, and these accounts would overwrite each other's. Give each a path of its own (correct the manifest or the custom_metadata), or list the one account that the path is read for; then run again."},
	protocol.ReasonNoOwner:          {"Nothing says whose secret this is", "Set custom_metadata account (and directory, field) on the secret, or list it in a manifest. If it is no credential, a licence for example, exclude the path with that reason."},
	protocol.ReasonNotAnAccount:     {"The entry is no account", "Narrow the source's filter to accounts, for example with (objectClass=inetOrgPerson), or exclude the entry by its DN with that reason."},
	protocol.ReasonNoPassword:       {"The account has no password", "Nothing to rotate: none was stolen here. Find out how it logs in (certificate, Kerberos, another system) and replace that; then exclude it with that reason."},
	protocol.ReasonAlias:            {"The entry is an alias of an account", "Name the account that the finding gives in a source: its password is what the device knew. Exclude the alias, or narrow the filter with (!(objectClass=alias))."},
	protocol.ReasonBehindReferral:   {"The account may be on a server that was not searched", "Name the server of the finding as a directory of its own and the account there, or correct the reference. Nobody may have removed it: do not delete its path."},
	protocol.ReasonCheckedElsewhere: {"Another system checks this password", "Change it there: the stolen value is good wherever that system is asked. Then exclude the entry with that reason."},
	protocol.ReasonSecondCopy:       {"The entry keeps the same secret a second time", "See what reads the copy that the finding names (SMB, RADIUS, Kerberos). If the server changes it with userPassword, or it is changed by hand, say so by name under accept in the campaign file and run again."},
	protocol.ReasonVaultsBind:       {"Vault itself binds with the account", "Give Vault an account of its own for that, which the device never had, and run again. Or accept it by name in the campaign file, run again, and right after the rotation write the new password into the configuration that the finding names (`vault write auth/ldap/config bindpass=…`)."},
	protocol.ReasonKeptByVault:      {"Vault itself keeps the password", "Rotate it there, with the command in its finding (`vault write -f ENGINE/rotate-role/NAME`): Vault sets another one, and what reads it there goes on. In Active Directory do so twice: after one reset the stolen value logs in for an hour. Bring the new one to what reads it elsewhere. Then exclude the account, with that reason. If nothing reads it there any more, accept it by name under accept in the campaign file, and run again."},
	protocol.ReasonNeedsNone:        {"The role takes a login without any secret-id", "Set bind_secret_id=true on the role (`vault write auth/MOUNT/role/NAME bind_secret_id=true`) and give its consumers a secret-id, or delete the role: it then follows by itself. Until then whoever knows the role-id logs in, and a new secret-id would change nothing. No password policy is in the way."},
	protocol.ReasonSharedRole:       {"The role has secret-ids of several consumers", "Ask who logs in with the others: the finding says in what they differ. Give each a role of its own, destroy their secret-ids here, and run again. Or say by name under accept in the campaign file that they may be cut off, and run again: each then needs the new secret-id. Until then whoever stole the device's goes on logging in, and what it could read waits."},
	protocol.ReasonMD5Stored:        {"PostgreSQL keeps the password by md5", "The new one is stored by SCRAM, and a client that cannot do that (libpq before 10, drivers of before 2018) is cut off. Update those that use it, or find that none does, and say so by name under accept in the campaign file (problem: md5-stored); then run again. Until then the stolen value is good."},
	protocol.ReasonServerRole:       {"A superuser that a pattern found", "Look what uses it (primary_conninfo of the standbys, backups, poolers, scripts). If the device had it, and that can be brought the new password, say so by name under accept in the campaign file (problem: server-role) and run again; if not, narrow the source or exclude the role."},
	protocol.ReasonReplicates:       {"Servers replicate by the account", "Its finding names each server and how it uses the account. Give replication an account of its own, that the device never had, and run again. Or accept it by name (problem: replicates) under accept in the campaign file: it then goes last of its authority, and a person writes the new password, which lies at the account's path in Vault, to the places of the finding at once, on every server. Until then the stolen value is good, and what it opens is a copy of everything."},
	protocol.ReasonNotAsked:         {"The account is let in by something else than its password", "Its finding names the lines (pg_hba.conf) and what they ask for instead. Correct them on each server and reload, then run again: until then a new password keeps nobody out there. Where another system checks the password (ldap, pam, radius), change it there. If nobody can come in that way, say so by name (problem: password-not-asked) under accept in the campaign file."},
	protocol.ReasonKeptElsewhere:    {"The authority itself keeps the password a second time", "Its finding names the user mapping or subscription. Give that a role of its own, that the device never had, and run again. Or accept it by name (problem: kept-elsewhere) under accept in the campaign file, run again, and right after the rotation write the new password there with the command of the finding."},
	protocol.ReasonHasKeytab:        {"A reset would cut off the account's keytabs", "Find out which hosts have a keytab of it. If none, or somebody makes them anew at once, say so by name under accept in the campaign file and run again."},
	protocol.ReasonComputer:         {"It is a computer's account", "On a computer that is kept, change it from there (Windows: Reset-ComputerMachinePassword; Linux: adcli update or net ads changetrustpw), twice. Disable the account of one that is not. Then exclude it with that reason."},
	protocol.ReasonManaged:          {"The domain makes this password itself", "Take the device out of those that may fetch it (PrincipalsAllowedToRetrieveManagedPassword), and put another managed account in its place, for what was fetched stays good until the next change. The key of krbtgt has a procedure of its own: reset it twice."},
}

// Advice is how a reason is put to people before a campaign runs: what it means
// and what to do.
func Advice(r protocol.Reason) (title, next string) {
	a := adviceFor(r)
	return a.Title, a.Next
}

func adviceFor(r protocol.Reason) advice {
	if a, ok := reasons[r]; ok {
		return a
	}
	if r == "" {
		return advice{"Not reached", "The campaign ended before this credential was taken up. Run it again."}
	}
	return advice{string(r), "See the detail; this version of the report does not know the reason."}
}

// findings has an entry for each credential.FindingCode, a test holds it to
// that; weight orders them, what most likely shows an attacker at work first.
var findings = map[credential.FindingCode]struct {
	weight int
	advice
}{
	credential.FindingChangedAfter:      {1, advice{"Changed by somebody after the rotation", "Treat as hostile until explained: somebody with the right to set this password did so after the new value was in force. Look at the directory's log for the bind identity."}},
	credential.FindingChangedDuring:     {2, advice{"Changed by somebody during the rotation", "Another process or person set this password while Rollcall did. Look for a second rotation tool, then for an intruder."}},
	credential.FindingChangedBefore:     {3, advice{"The account refused what Vault held before anything was touched", "Three things explain it. If the detail names an earlier campaign, Rollcall may have changed it. Or somebody changed the password without Vault: ask the owner, and if it was nobody, an intruder may hold the account. Or the path is another account's: see which paths were left as they are."}},
	credential.FindingOutlived:          {4, advice{"The stolen value outlived its retirement", "The server accepted it beside the new one after it was reset, so another value was set and consumers see two changes. In OpenLDAP look for a rootdn of the account's name with a rootpw (olcRootPW). Of a domain report the server's version: this is not how Active Directory is known to behave."}},
	credential.FindingTokensRevoked:     {5, advice{"Live Vault tokens of the stolen secret", "Somebody was logged in with it. The tokens are revoked; look up their accessors in Vault's audit log for what they read."}},
	credential.FindingExtraSecretIDs:    {6, advice{"More secret-ids than the one that was known", "Every one is a further way in. Find out who made them and when (Vault's audit log)."}},
	credential.FindingBatchTokens:       {7, advice{"The role gives batch tokens, which cannot be revoked", "They live until they expire. Count them as live for the role's token_max_ttl; move the role to service tokens."}},
	credential.FindingOrphanTokens:      {7, advice{"Tokens that nothing ties to who made them", "Such a login may make orphans, which its end does not revoke. Look at each orphan in Vault (vault list auth/token/accessors, then vault token lookup -accessor) and revoke what nobody claims; then say so (`rollcall accept-open`) if something waits for the login."}},
	credential.FindingNoAccount:         {8, advice{"A secret or a name without an account", "See the exceptions: the account was removed, the name is wrong, or nothing says whose the secret is."}},
	credential.FindingAmbiguous:         {9, advice{"A reference that matches several accounts", "See the exceptions: which one the device used must be settled first."}},
	credential.FindingStalePath:         {10, advice{"A path held a value that was not in force, and was left as it is", "Another path held the one in force. Whoever reads this one could not log in before: find out what it is and whose. If it is this account's, say so (confirm in the campaign file) and run again; else exclude it."}},
	credential.FindingLeftBehind:        {10, advice{"A path that Rollcall itself may have made stale", "An earlier campaign changed the password for another path and had not got this one on its roll. Who reads this path is cut off. If it is the account's, say so (confirm in the campaign file) and run again; else exclude it."}},
	credential.FindingTwoPaths:          {11, advice{"One account, several paths in Vault", "Those that held the value in force were kept current. Shared accounts hide who did what; consider one account for each consumer."}},
	credential.FindingLimits:            {12, advice{"Limits of a login to Vault", "The detail says what a new secret-id cannot take over, or where a worker must be to prove it. Look before the run; give each consumer a role or user of its own afterwards."}},
	credential.FindingProtected:         {12, advice{"An account of a protected group", "It takes its rights from CN=AdminSDHolder, not from its organizational unit. Ask whether an appliance needs an account with these powers; grant Reset Password there, or have a domain administrator reset it."}},
	credential.FindingResetsOthers:      {12, advice{"An account that may reset others of the roll", "Whoever stole it could have set their passwords too, and it was rotated before them. Ask whether an appliance needs that right; take it away if not."}},
	credential.FindingResetsHidden:      {34, advice{"Who may reset whom was not shown", "An account with a delegated right was not put first by itself. Let the bind identity read security descriptors and groups, or name such accounts in an early wave."}},
	credential.FindingPersonAndService:  {13, advice{"Listed as a person's account and as a service's", "It was rotated as a service account, for must-change would cut off its consumers. Find out what works with a person's password and give that an account of its own."}},
	credential.FindingNotForced:         {14, advice{"Nothing makes the person change the temporary password", "It stays in force until somebody changes it. Take the flag or the denial that the detail names off the account, set must-change at the next log-on by hand, and hand the password over."}},
	credential.FindingEmptyRoll:         {16, advice{"Nothing was listed", "This says nothing of the device: no source found a credential. Correct the sources, then run again."}},
	credential.FindingNotSearched:       {17, advice{"A part of a directory was not searched", "What the device knew there is missing from this roll. Name the other server as a directory of its own."}},
	credential.FindingNotProvider:       {17, advice{"The first server of a directory is a replica, or read-only", "Name the provider as the first of servers, and run again: nothing can be set at this one, or what is set there comes from another server and late. The replica stays among the servers, behind it."}},
	credential.FindingForced:            {17, advice{"A policy has each reset password changed at the next login", "Set that off for the time of the campaign, or give the accounts a policy of their own without it. Accounts that show such a policy are left as they are (forced-change); of others the first one that is set tells, and the rest are held back."}},
	credential.FindingMoreServers:       {17, advice{"The directory knows of servers that were not asked", "A stolen value may live on there: nobody has seen it refused. Name each server, behind a balancer each machine, and run again; one that is gone is accepted by its name in the campaign file."}},
	credential.FindingSourceEmpty:       {18, advice{"A source found nothing", "It may be mistyped, or somebody removed what it looks for. If that is right, say so under accept in the campaign file."}},
	credential.FindingExcludeUnused:     {19, advice{"An exclude takes nothing off the roll", "Somebody believes in a credential that is not there. Correct it or remove it."}},
	credential.FindingOtherWays:         {19, advice{"Another way into Vault", "With a stolen password somebody may have logged in to Vault through that auth mount. The detail says what was not done about it: a right that is missing, a server that is not known, or tokens to revoke by their accessors."}},
	credential.FindingMade:              {15, advice{"A login to Vault may have made another way in", "What a stolen login made before the campaign outlives it. Look at the role, user, token role or policy that the detail names: rotate it with the device's, or take away what nobody claims; then accept that place by its name in the campaign file, and run again."}},
	credential.FindingVaultHidden:       {15, advice{"What Vault itself does with accounts is not shown", "Vault may bind with an account of the roll, keep its password, or let it log in, at the place that the detail names, and whoever listed may not read it. Run `rollcall init` again, or grant read there by hand; or look there with an administrator's token and accept the place by its name in the campaign file."}},
	credential.FindingAudit:             {19, advice{"Whether audit devices keep values as they are was not checked", "Ask an administrator for `vault audit list -detailed`: one with log_raw shows each new value to whoever reads its log. Rollcall's worker looks, once rollcall init has given it that right."}},
	credential.FindingLeftStaged:        {15, advice{"A new value that may be in force lies in staging alone", "An earlier campaign set it and was ended before consumers could read it, and this roll has not got the account. Name the account in a source again, or run a campaign of the device that the detail names: it goes on from there."}},
	credential.FindingMissing:           {16, advice{"A source names less than in the last campaign", "The campaign file has it unchanged, so somebody took away what named them: a tag, a secret's metadata, a role. Find out who. What the last campaign proved dead is dead; if the device had one of them since, list it in a manifest and run again. The next campaign does not say it again."}},
	credential.FindingOpenElsewhere:     {16, advice{"A campaign of another device left something open", "If it is this device under another name, write that name under formerly in the campaign file, and run again: what was left open there is then on this roll. If it is another device, run a campaign of it, or accept it by its name."}},
	credential.FindingUnanswered:        {4, advice{"Lines of the device's profile have no answer", "Whole kinds of credential may be unasked. Answer them (`rollcall answers check`), and run again: what they bring to light is rotated then."}},
	credential.FindingLater:             {4, advice{"Lines of the device's profile are left for later", "Each has an owner and a due date. Count what they hold as good in a thief's hands until then; when it is done, answer the line by what became of it, and run again."}},
	credential.FindingCameBack:          {1, advice{"The device answered while the campaign ran", "Find out what let it on the network again, and contain it. Whoever is on it may have read what was set by then: run again once it is silent, so that those values are replaced as well."}},
	credential.FindingUnknownLine:       {20, advice{"A secret's metadata names a line that the profile does not have", "Correct custom_metadata line, or take it out. It answers nothing."}},
	credential.FindingSmallerRoll:       {33, advice{"The campaign file names less than the last one", "Nothing is open because of it: what is not on this roll was proved dead, or had no account."}},
	credential.FindingNotNamed:          {9, advice{"Left open by an earlier campaign, and named by no source", "The detail says which campaign left it open, and whether it was rotated all the same. Find out who took away what named it."}},
	credential.FindingLoginExcluded:     {15, advice{"A login to Vault is left out", "Whoever stole it reads what its policies show him, the new values too. Take the exclude out, rotate it, then run again for what it could read; if the device never had it, let no source list it. No acceptance makes this campaign complete."}},
	credential.FindingOwnLogin:          {20, advice{"A login of Rollcall itself stays as it is", "If the device may have known it, rotate it by hand, last."}},
	credential.FindingBehindReferral:    {21, advice{"Perhaps on a server that was not searched", "See the exceptions: name that server as a directory of its own."}},
	credential.FindingCheckedElsewhere:  {22, advice{"Another system checks the password", "See the exceptions: change it there."}},
	credential.FindingSecondCopy:        {23, advice{"The same secret a second time in the entry", "Make sure that the copy was changed too: look at sambaPwdLastSet, or try a login where it is used."}},
	credential.FindingVaultsBind:        {14, advice{"Vault itself binds with the account", "Once it has a new password, Vault is refused there until its configuration has that too: `vault write auth/ldap/config bindpass=…`, or the path that the detail names. Log in there once to see that it works."}},
	credential.FindingKeptByVault:       {14, advice{"Vault itself keeps the password", "What Vault gives where the detail says is the password as Vault set it last. After a rotation from here it is a dead one, until Vault sets the account anew, and then what was set here is dead. The detail has the command with which Vault rotates it."}},
	credential.FindingSharedRole:        {14, advice{"The role has secret-ids of several consumers", "All but the new one end with the rotation: whoever logs in with one of the others is cut off until it has the new one, or better a role of its own."}},
	credential.FindingReplicates:        {14, advice{"Servers replicate by the account", "Each server that the detail names, and whatever else takes the log by it, needs the new password before its next login: primary_conninfo, .pgpass, ALTER SUBSCRIPTION … CONNECTION; syncrepl, chain; the replication agreement. Restart replication once to see that it works."}},
	credential.FindingFollows:           {6, advice{"What replicates by the account was left logged in", "It was logged in with the stolen password and was not ended, for the servers' sake. Hold each against the servers that you have; end what nobody knows."}},
	credential.FindingNotAsked:          {14, advice{"The account is let in by something else than its password", "Correct the lines that the detail names, or change the password in the system that they ask: no new password keeps anybody out there."}},
	credential.FindingKeptElsewhere:     {14, advice{"The authority itself keeps the password a second time", "Write the new password there with the command in the detail, or what goes through there is refused."}},
	credential.FindingRulesHidden:       {16, advice{"By what accounts are let in was not shown", "Do what the detail says (grant the worker's role what it asks for, or have the file loaded), and run again: an account that is let in without its password, for a database or from an address that nobody tried, counts as dead here. Or look at pg_hba.conf of that server by hand, and accept it by the cluster's name."}},
	credential.FindingReplicatorsHidden: {17, advice{"As which accounts servers replicate was not shown", "Where one of those accounts was rotated, its servers follow until their connection breaks once, and then never again: what is changed later does not reach them. Look at the configuration that the detail names; if none is on the roll, accept that by the directory's name and finding: replicators-not-shown."}},
	credential.FindingKeptHidden:        {34, advice{"Which passwords the cluster keeps itself was not shown", "Have a superuser look whether a user mapping or subscription has the password of a role that was rotated, and write the new one there: until then what goes through there is refused."}},
	credential.FindingCopyBeside:        {23, advice{"Another field of the secret holds the stolen value", "It stays as it is, as the campaign file accepts: whatever reads it there is cut off. Take it out."}},
	credential.FindingMD5Stored:         {24, advice{"A password that PostgreSQL keeps by md5", "The new one is stored by SCRAM: a client that cannot do that is cut off until it is updated."}},
	credential.FindingServerRole:        {24, advice{"A superuser that a pattern found", "What the servers themselves do with it (primary_conninfo, backups, scripts) fails until it has the new password."}},
	credential.FindingRestricted:        {24, advice{"An account that may log in at some hours or from some computers only", "Where the worker may not log in with it, nobody sees whether the new password works, and it is not brought to its consumers. Lift logonHours and userWorkstations for the time of the campaign."}},
	credential.FindingHasKeytab:         {24, advice{"An account with Kerberos principals", "Every keytab made from its password must be made anew after a reset."}},
	credential.FindingComputer:          {25, advice{"A computer's account", "See the exceptions: it is changed on the computer."}},
	credential.FindingManaged:           {26, advice{"A managed account of the domain", "See the exceptions: the domain makes its password."}},
	credential.FindingAlias:             {27, advice{"An alias of an account", "See the exceptions: name the account that it stands for."}},
	credential.FindingNoPassword:        {28, advice{"An account without a password", "See the exceptions: it logs in by something else, if at all."}},
	credential.FindingNotAnAccount:      {29, advice{"An entry that is no account", "See the exceptions: narrow the filter, or exclude it."}},
	credential.FindingSharedPath:        {35, advice{"One path for several accounts", "See the exceptions: each account needs a path of its own."}},
	credential.FindingOtherSecrets:      {36, advice{"A secret holds more credentials than the roll", "They were not rotated. List each in a manifest with its account and path, or exclude it by path with the reason."}},
	credential.FindingPasswordHidden:    {34, advice{"Whether accounts have a password was not shown", "Grant the bind identity search on userPassword (PostgreSQL: the function of docs/rights.md), so that an account without one is not given a login."}},
	credential.FindingServers:           {31, advice{"How the servers were found", "Make sure that every machine that answers logins is among the servers of the directory."}},
	credential.FindingAccepted:          {32, advice{"Accepted by the campaign file", "Whoever started the campaign took it upon himself, with the reason below."}},
	credential.FindingRootDN:            {33, advice{"Perhaps the directory's administrator", "If the configuration has a rootpw (olcRootPW) for this name, that is a second password of it, and no reset reaches it: change it there, on every server."}},
	credential.FindingPathLeftOut:       {30, advice{"A path of the account was left out", "What reads that path is cut off once the account is rotated. If that is wrong, take the exclude out and run again."}},
	credential.FindingSameName:          {15, advice{"A user of Vault's with the name of an account", "See the exceptions: list it, or exclude it."}},
	credential.FindingPathRefused:       {3, advice{"The account refuses what its path in Vault holds: is the path its own?", "Either somebody changed the password without Vault, or the path belongs to something else. Nothing was written there. Ask who reads it: if it is this account's, say so (confirm: account and path, in the campaign file) and run again; if not, exclude the path."}},
	credential.FindingSparePath:         {10, advice{"The new value lies at Rollcall's own path", "Consumers do not read it yet: copy it to where they do, or answer whose the refused path is and run again."}},
	credential.FindingPlace:             {10, advice{"Something about a path in Vault", "See the detail: it names the path, what is there and what to do."}},
	credential.FindingConfirmed:         {13, advice{"Written where a person said that it belongs", "The account refused what the path held. What was there before was not destroyed: destroy it by hand once nobody needs it."}},
	credential.FindingNeverHeld:         {15, advice{"The stolen value was never in Vault", "Bring the new value to what uses the account, which is cut off until then: the detail names where it lies. The death of the old one is shown by the change time on every server, not by a refused login; whoever holds it can confirm with one try."}},
	credential.FindingNotContained:      {1, advice{"The device may not be contained", "Whoever is still on it reads every new value that it can reach. Contain it, say so (`rollcall contain`), and run again: what was set meanwhile counts as stolen once more."}},

	// Of the look at the end.
	credential.FindingLoginSince:     {1, advice{"A login to Vault was changed after its proof", "Treat as hostile until explained: somebody with a right on the role did so. Vault's audit log says who."}},
	credential.FindingRenamedSince:   {1, advice{"The name of a dead account was given to something else", "Treat as hostile until explained: an entry that somebody puts under the name of a rotated account, with the stolen password, is that login again. The directory's log says who did it."}},
	credential.FindingTakenBack:      {2, advice{"A server went back to an older password", "A restored backup or a replication conflict does that, and an intruder can bring either about. Look at that server's log."}},
	credential.FindingMadeAnew:       {2, advice{"A secret in Vault was deleted and made anew after the proof", "Treat as hostile until explained: who does that chooses what consumers read, and what version numbers mean. Vault's audit log says who."}},
	credential.FindingHandedOver:     {32, advice{"The temporary password was changed once, as its owner was to do", "The stolen value stays dead. Whoever read the hand-over path could have done it too: ask the owner whether it was he."}},
	credential.FindingNotLookedAgain: {16, advice{"Some dead credentials could not be looked at again", "The proof of each stands. Whether somebody changed the account since was not seen: bring the server back, and look with the next campaign."}},
	credential.FindingLockedSince:    {4, advice{"Locked after its proof", "The stolen value is dead, and so is the new one for as long as the lock holds; in Active Directory a service's clients get no tickets either. Somebody goes on with an old value: find who, then unlock the account."}},
	credential.FindingRationed:       {15, advice{"The account locks too soon for a proof by login", "One more wrong login could have locked it, so the stolen value was not offered before the reset, and its refusal afterwards shows less. Raise the threshold (pwdMaxFailure, passwordMaxFailure) for the time of a campaign to 3 or more, and find out who offers wrong values."}},

	// Between servers.
	credential.FindingUndone: {5, advice{"A reset was taken back between servers, and made again", "OpenLDAP keeps whole entries by the time of their last touch: a login for the account at another server, before the reset had come there, made the older entry win. The same value was set again. Find out who logs in there with the stolen value, or guesses; lastbind and several providers make it likely."}},
}

func findingAdvice(c credential.FindingCode) advice {
	if f, ok := findings[c]; ok {
		return f.advice
	}
	return advice{string(c), "See the detail; this version of the report does not know the finding."}
}

func weight(c credential.FindingCode) int {
	if f, ok := findings[c]; ok {
		return f.weight
	}
	return len(findings) + 1
}

// proofs has an entry for each protocol.Proof.
var proofs = map[protocol.Proof]string{
	protocol.ProofBind:     "every server that was asked refused the stolen value as wrong and accepted the new one straight after",
	protocol.ProofAttested: "no server was asked: at each end a person said, with a login to Vault of his own, that it is changed",
	protocol.ProofRevoked:  "the authority has the old secret no longer, and its tokens are revoked",
	protocol.ProofMetadata: "weaker: the stolen value was unknown, but the change time advanced on every server",
}

// residual are the risks that no rotation removes. The report states them.
var residual = []string{
	"What was read or changed with the stolen values before they died. Only the logs of the systems themselves show it.",
	"Sessions that were open when a password changed. An LDAP connection stays logged in until it is closed; an application's own session until it expires.",
	"Kerberos tickets that Active Directory issued before a password changed. They are good until they expire, 10 hours by default.",
	"Accounts, keys or rights that an intruder gave to themselves by other means. Rotation does not look for them.",
	"Servers that the campaign file neither names nor finds. A value was proved dead on the servers of its evidence, and on no other.",
	"Credentials that no source named. The roll is as complete as its sources.",
}
