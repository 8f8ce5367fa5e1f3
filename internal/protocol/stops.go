package protocol

import "fmt"

// What a person reads of a stop, in the night and without the manual: what is
// so, how things were left, and what to do next. TestEachStopSaysWhatToDoNext
// holds the words to that.

// Ends of such sentences. A stop may come before Set or after it, so none says
// that nothing was set.
const (
	nextPass   = ", and the next pass goes on"
	nothingYet = "nothing more is set meanwhile"
)

// stops are what each reply keeps open.
var stops = map[Reply]struct {
	reason Reason
	detail string
}{
	MustChange: {ReasonMustChange, "the new value is set; a login with it succeeds, and everything else is refused until the owner changes the password, so its consumers can do nothing with it: " +
		"clear the reset mark (OpenLDAP pwdReset) or exempt the account from pwdMustChange" + nextPass},
	PasswordExpired: {ReasonMustChange, "the new value is set and has expired, so the login is refused; if a reset left it so, bind.dn lacks the right Unexpire Password on the domain: grant it, and the next pass resets it once more"},
	Restricted: {ReasonRestricted, "the account may log in only at certain hours or from certain computers (logonHours, userWorkstations), so no value can be tried from here, and " + nothingYet +
		": lift that for the time of the campaign" + nextPass},
	NotThisWay: {ReasonRestricted, "the account takes no login by password over LDAP, whatever the value (a member of Protected Users, sub-code 52f), so no value can be tried, and " + nothingYet +
		": take it out of the group for the time of the campaign" + nextPass},
	LockNotShown: {ReasonRestricted, "the server refuses every password of the account with the answer of a locked one, and its entry shows no lock: a rule keeps it from logging in, for a while or for good " +
		"(389 Directory Server: passwordTPRDelayValidFrom, passwordTPRDelayExpireAt or passwordTPRMaxUse under passwordMustChange, for what an administrator sets, or disuse; OpenLDAP: pwdMaxIdle), so no value can be tried, and " + nothingYet +
		": exempt the account from it" + nextPass + ". If bind.dn may not read what shows a lock (passwordRetryCount, accountUnlockTime, pwdAccountLockedTime), it may be one all the same"},
	Locked: {ReasonLocked, "the account is locked, so a refusal proves nothing, and " + nothingYet + ": find out who offers wrong passwords, and unlock it or wait for the lock to expire" + nextPass},
	RoleLocked: {ReasonRoleLocked, "Vault refuses every login of the role for now, whatever the secret-id: after five wrong ones it locks the role and not who offered them (user lockout), " +
		"and some consumer, or a thief, still offers one that was destroyed; find it in Vault's audit log and stop it or give it the new one, " +
		"then unlock the role (vault write -f sys/locked-users/ACCESSOR-OF-THE-MOUNT/unlock/ROLE-ID) or wait for 15 minutes" + nextPass},
	LoginLocked: {ReasonLoginLocked, "Vault refuses every login of the user for now, whatever the password: after five wrong ones it locks the name, and a new password does not lift that (user lockout); " +
		"some consumer, or a thief, still offers an old one; find it in Vault's audit log and stop it or give it the new one, " +
		"then unlock the user (vault write -f sys/locked-users/ACCESSOR-OF-THE-MOUNT/unlock/NAME) or wait for 15 minutes" + nextPass},
	Disabled: {ReasonDisabled, "the account is disabled, so a refusal proves nothing, and " + nothingYet + ": enable it for the time of the campaign" + nextPass + ", or delete it; one that is enabled later may take the stolen value"},
	Expired: {ReasonExpired, "the account or its password is expired, so a refusal proves nothing, and " + nothingYet + ": extend it for the time of the campaign" + nextPass +
		", or delete the account; one that is extended later may take the stolen value"},
	Gone: {ReasonGone, "the account is gone since it was listed (deleted, moved, or hidden from Rollcall's login), and nothing more is done with it: find out who did that; if it was meant, exclude the account with that reason, " +
		"else bring it back" + nextPass + ". One that is restored later may take the stolen value"},
	Unreachable: {ReasonUnreachable, "the server does not answer, so what it takes is not known: bring it back" + nextPass + "; one that is gone for good is left out by name (rollcall leave-out)"},
}

// StopFor turns a server's reply into the reason that keeps a credential open.
// It must not be asked about Accepted or Refused, whose meaning depends on
// which value was offered.
func StopFor(a Reply, server string) *Stop {
	if s, ok := stops[a]; ok {
		return &Stop{Reason: s.reason, Server: server, Detail: s.detail}
	}
	return &Stop{Reason: ReasonInternal, Server: server, Detail: fmt.Sprintf("unexpected answer %q, by which nothing was decided: keep the worker's log (-v) and report it", a)}
}
