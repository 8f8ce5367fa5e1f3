package directory

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"rollcall/config"
	"rollcall/internal/directory/adacl"
)

// policyTTL is how long a policy is taken to be unchanged.
const policyTTL = time.Minute

// lockouts remembers what policies say of lock-outs, by server and policy.
type lockouts struct {
	mu   sync.Mutex
	seen map[string]lockout
}

type lockout struct {
	duration time.Duration
	window   time.Duration // Active Directory: after which failures count no more; 0: not shown, or never
	most     int           // failures that lock; 0 is never, or not shown
	history  int           // of Active Directory
	forces   bool          // each reset password is to be changed: see Forced
	known    bool
	hidden   bool // another policy may hold, which is not shown
	guessed  bool // which of several holds is not shown: the strictest
	others   int  // failures that lock by the strictest policy that is none of this
	unseen   bool // there may be others that are not shown
	seen     int  // policies of which it is the strictest
	which    string
	at       time.Time
}

// Locks is what refused logins do to an account, as far as that is shown.
type Locks struct {
	Most   int // how many in a row lock it; 0: none do
	Failed int // how many are counted now

	// Hidden: the policy that holds is not shown to bind.dn, or another one
	// than is shown may hold. Most is then no more than maxHidden.
	Hidden bool

	// Guessed: which of several policies holds is not shown, and the strictest
	// counts.
	Guessed bool
}

// maxHidden is what is taken for a policy that is not shown: next to none
// locks at the first wrong login, for then a slip of the hand would.
const maxHidden = 2

// fewLeft are the wrong logins of which each counts: two that a look before set
// may cost, and one that is left.
const fewLeft = 3

// tighter reports whether another policy, if it were the one that holds, would
// leave fewer wrong logins than may be needed.
func (l lockout) tighter(failures int) bool {
	return l.others > 0 && (l.most == 0 || l.others < l.most) && l.others-failures <= fewLeft
}

// locks is what a policy comes to, with the failures that are counted.
func (l lockout) locks(failures string) Locks {
	out := Locks{Most: l.most, Hidden: l.hidden, Guessed: l.guessed}
	if l.hidden && (out.Most == 0 || out.Most > maxHidden) {
		out.Most = maxHidden
	}
	out.Failed, _ = strconv.Atoi(failures)
	return out
}

// stricter takes another policy into account that may hold as well.
func (l *lockout) stricter(most int) {
	if most > 0 && (l.most == 0 || most < l.most) {
		l.most = most
	}
}

// Locks says how many refused logins in a row lock the account of an entry that
// ByID has read on server, and how many are counted now. Where the policy that
// holds is not shown it is taken to be a strict one.
func (c *Client) Locks(ctx context.Context, server string, e Entry) Locks {
	l, failures, err := c.driver.locks(ctx, c, server, e)
	l.hidden = l.hidden || err != nil
	return l.locks(failures)
}

// LockedUntil is when the lock of an entry that ByID has read on server ends by
// itself, with room for clocks that differ. Zero: never, or it is not shown. It
// is asked of locked accounts alone.
func (c *Client) LockedUntil(ctx context.Context, server string, e Entry) time.Time {
	end := c.driver.lockEnds(ctx, c, server, e)
	if end.IsZero() {
		return end
	}
	return end.Add(clockMargin)
}

func (openLDAP) lockEnds(ctx context.Context, c *Client, server string, e Entry) time.Time {
	since, ok := generalizedTime(e.First("pwdAccountLockedTime"))
	if !ok || e.First("pwdAccountLockedTime") == lockedForever {
		return time.Time{}
	}
	l, err := c.lockoutOf(ctx, server, e.First("pwdPolicySubentry"))
	if err != nil || !l.known || l.hidden || l.duration == 0 {
		return time.Time{}
	}
	return since.Add(l.duration)
}

func (ds389) lockEnds(_ context.Context, _ *Client, _ string, e Entry) time.Time {
	end, ok := generalizedTime(e.First("accountUnlockTime"))
	if !ok || e.First("accountUnlockTime") == unlockedByHand {
		return time.Time{}
	}
	return end
}

// lockEnds: the duration counts from lockoutTime ([MS-ADTS] 3.1.1.4.5.17).
func (activeDirectory) lockEnds(ctx context.Context, c *Client, server string, e Entry) time.Time {
	since, err := strconv.ParseInt(e.First("lockoutTime"), 10, 64)
	if err != nil || since <= 0 {
		return time.Time{}
	}
	l, err := c.domainPolicy(ctx, server, e.First("msDS-ResultantPSO"))
	if err != nil || l.duration == 0 {
		return time.Time{}
	}
	return fileTime(since).Add(l.duration)
}

// fileTime is a time of Active Directory: 100 ns since 1601 ([MS-DTYP] 2.3.3).
func fileTime(t int64) time.Time {
	const to1970 = 116444736000000000
	return time.Unix((t-to1970)/1e7, (t-to1970)%1e7*100).UTC()
}

// policy reads a policy by read, unless that was done a moment ago.
func (c *Client) policy(server, policyDN string, read func() (lockout, error)) (lockout, error) {
	key := server + "\x00" + policyDN
	c.policies.mu.Lock()
	l, ok := c.policies.seen[key]
	c.policies.mu.Unlock()
	if ok && time.Since(l.at) < policyTTL {
		return l, nil
	}
	l, err := read()
	if err != nil {
		return lockout{}, err
	}
	l.at = time.Now()
	c.policies.mu.Lock()
	defer c.policies.mu.Unlock()
	if c.policies.seen == nil {
		c.policies.seen = map[string]lockout{}
	}
	c.policies.seen[key] = l
	return l, nil
}

// lockoutOf is what the policy of an entry says. policyDN is the entry's
// pwdPolicySubentry. known is false if it locks nobody.
func (c *Client) lockoutOf(ctx context.Context, server, policyDN string) (lockout, error) {
	return c.policy(server, policyDN, func() (lockout, error) {
		if policyDN != "" {
			var l lockout
			err := c.addPolicies(ctx, server, &l, policyDN)
			return l, err
		}
		return c.defaultLockout(ctx, server)
	})
}

// policyAttrs are what a lock-out is read from. Each policy has a pwdAttribute:
// one that does not show it shows nothing.
var policyAttrs = []string{"pwdLockout", "pwdLockoutDuration", "pwdMaxFailure", "pwdAttribute"}

func showsPolicy(e Entry) bool { return e.First("pwdAttribute") != "" }

// addPolicies takes policies into account by name. One that is not shown may
// say anything.
func (c *Client) addPolicies(ctx context.Context, server string, l *lockout, dns ...string) error {
	for _, dn := range dns {
		e, found, err := c.one(ctx, server, "", dn, ldap.ScopeBaseObject, "(objectClass=pwdPolicy)", policyAttrs)
		if err != nil && (IsUnreachable(err) || ctx.Err() != nil) {
			return err
		}
		if found && err == nil {
			l.extend(e)
		}
		l.hidden = l.hidden || err != nil || !found || !showsPolicy(e)
	}
	return nil
}

// defaultLockout is what holds for an entry that names no policy: what
// ppolicy_default names, as cn=config shows it, else as a person says in the
// campaign file. Where neither is known each policy in the server's naming
// contexts may be the default, so the strictest of all counts, and the longest
// lock. Whoever may add an entry may add a policy, so nothing more is guessed
// than has to be.
func (c *Client) defaultLockout(ctx context.Context, server string) (lockout, error) {
	all, root, bare, err := c.allPolicies(ctx, server)
	if err != nil {
		return all, err
	}
	standard, err := c.defaultPolicies(ctx, server)
	if err != nil && (IsUnreachable(err) || ctx.Err() != nil) {
		return all, err
	}
	if word := c.conf.DefaultPolicy; len(standard) == 0 && word != "" {
		standard = []string{word}
	}
	if len(standard) > 0 {
		l := lockout{others: all.most, unseen: bare || hidesAll(all, root), which: strings.Join(standard, "; ")}
		if standard[0] == config.NoPolicy {
			return l, nil
		}
		return l, c.addPolicies(ctx, server, &l, standard...)
	}
	// Without the overlay there is no policy; with it, and none to be seen,
	// one may be hidden.
	all.hidden = bare || hidesAll(all, root)
	all.guessed = all.most > 0
	return all, nil
}

// hidesAll reports whether a server that has the overlay shows no policy.
func hidesAll(all lockout, root Entry) bool {
	return all.which == "" && slices.Contains(root.Attrs["supportedControl"], ldap.ControlTypeBeheraPasswordPolicy)
}

// allPolicies are all that the server's naming contexts show, as one that is as
// strict as the strictest. bare: one of them does not show what it says.
func (c *Client) allPolicies(ctx context.Context, server string) (l lockout, root Entry, bare bool, err error) {
	root, _, err = c.one(ctx, server, "", "", ldap.ScopeBaseObject, "(objectClass=*)", []string{"namingContexts", "supportedControl"})
	if err != nil && (IsUnreachable(err) || ctx.Err() != nil) {
		return l, root, false, err
	}
	for _, suffix := range suffixesOf(root, c.conf.Base) {
		err := c.Search(ctx, server, suffix, "(objectClass=pwdPolicy)", policyAttrs, func(e Entry) error {
			before := l.most
			bare = bare || !showsPolicy(e)
			l.seen++
			if l.extend(e); l.which == "" || l.most != before {
				l.which = e.DN
			}
			return nil
		})
		if err != nil && (IsUnreachable(err) || ctx.Err() != nil) {
			return l, root, bare, err
		}
	}
	return l, root, bare, nil
}

// mayNameAnother reports whether the entry may name a policy of its own that is
// not shown. A filter for the absence fits an entry only where bind.dn may
// search the attribute (slapd.access(5)).
func (c *Client) mayNameAnother(ctx context.Context, server string, e Entry) (bool, error) {
	if e.DN == "" {
		return false, nil
	}
	_, found, err := c.one(ctx, server, "", e.DN, ldap.ScopeBaseObject, "(!(pwdPolicySubentry=*))", []string{"entryUUID"})
	if err != nil && !IsUnreachable(err) && ctx.Err() == nil {
		err = nil // it is not shown
	}
	return !found, err
}

// suffixesOf are the naming contexts of a root entry, and base where none of
// them holds it. A log of changes (slapo-accesslog(5)) is no place of policies,
// and may be large.
func suffixesOf(root Entry, base string) []string {
	out := slices.DeleteFunc(slices.Clone(root.Attrs["namingContexts"]), func(s string) bool { return strings.EqualFold(s, "cn=accesslog") })
	if !slices.ContainsFunc(out, func(s string) bool { return Within(base, s) }) {
		out = append(out, base)
	}
	return out
}

// extend takes one more policy into account: of durations 0 is the longest. One
// without pwdLockout locks nobody.
func (l *lockout) extend(policy Entry) {
	if policy.First("pwdLockout") != "TRUE" {
		return
	}
	seconds, _ := strconv.Atoi(policy.First("pwdLockoutDuration")) // absent is 0: until unlocked
	d := time.Duration(seconds) * time.Second
	if !l.known || d == 0 || (l.duration != 0 && d > l.duration) {
		l.duration = d
	}
	most, _ := strconv.Atoi(policy.First("pwdMaxFailure"))
	l.stricter(most)
	l.known = true
}

// locks: the failures are those of the entry that are not cleared, whether or
// not pwdFailureCountInterval is over.
func (openLDAP) locks(ctx context.Context, c *Client, server string, e Entry) (lockout, string, error) {
	own, failures := e.First("pwdPolicySubentry"), len(e.Attrs["pwdFailureTime"])
	l, err := c.lockoutOf(ctx, server, own)
	if err == nil && own == "" && (l.unseen || l.tighter(failures)) {
		var hides bool
		if hides, err = c.mayNameAnother(ctx, server, e); hides {
			l.stricter(l.others)
			l.guessed, l.hidden = !l.unseen, l.hidden || l.unseen
		}
	}
	return l, strconv.Itoa(failures), err
}

func (ds389) locks(ctx context.Context, c *Client, server string, e Entry) (lockout, string, error) {
	dn := e.First("pwdPolicySubentry")
	l, err := c.policy(server, dn, func() (lockout, error) { return c.lockout389(ctx, server, dn) })
	return l, failures389(e, time.Now()), err
}

// failures389 are those that the next wrong login adds to. From
// retryCountResetTime on it counts as the first (passwordResetFailureCount;
// tried), whatever the policy is, and whether or not that is shown.
func failures389(e Entry, now time.Time) string {
	if end, ok := generalizedTime(e.First("retryCountResetTime")); ok && now.After(end.Add(clockMargin)) {
		return "0"
	}
	return e.First("passwordRetryCount")
}

// locks: a fine-grained policy ([MS-ADTS] 3.1.1.4.5.36, msDS-ResultantPSO) is
// commonly hidden from who is no administrator, and so is whether there is one.
func (activeDirectory) locks(ctx context.Context, c *Client, server string, e Entry) (lockout, string, error) {
	fine := e.First("msDS-ResultantPSO")
	l, err := c.domainPolicy(ctx, server, fine)
	if err == nil && fine == "" {
		var others lockout
		others, err = c.policy(server, "fine-grained", func() (lockout, error) { return c.fineGrained(ctx, server) })
		// It costs a look, so it is asked of accounts alone that somebody has
		// brought nearer to their lock, and where a policy that is not the
		// account's would keep it from being asked.
		failed, _ := strconv.Atoi(e.First("badPwdCount"))
		l.others = others.most
		if (others.hidden && failed > 0 || l.tighter(failed)) && l.known && e.DN != "" && c.showsWhichPolicy(ctx, server, e.DN) {
			return l, failuresAD(e, l.window, time.Now()), nil
		}
		l.guessed = others.most > 0 && (l.most == 0 || others.most < l.most)
		l.stricter(others.most)
		l.hidden = l.hidden || others.hidden
		if l.window > 0 && others.window != 0 { // of those that may hold the longest
			l.window = max(l.window, others.window)
		}
	}
	l.hidden = l.hidden || !l.known
	if err != nil || l.hidden {
		l.window = 0
	}
	return l, failuresAD(e, l.window, time.Now()), err
}

// showsWhichPolicy reports whether bind.dn may read msDS-ResultantPSO of an
// account. A domain controller makes it without a look at who may read the
// policy ([MS-ADTS] 3.1.1.4.5.36; tried with Samba 4.17), so that where it may
// be read and is not there no fine-grained policy holds for the account.
func (c *Client) showsWhichPolicy(ctx context.Context, server, dn string) bool {
	s, err := c.server(server)
	if err != nil {
		return false
	}
	shown := false
	err = s.admin(ctx, "", (*pool).useTwice, func(cn *conn) error {
		lists, err := cn.descriptors(ctx, dn, ldap.ScopeBaseObject, "(objectClass=*)", 1)
		if err != nil || len(lists) != 1 {
			return err
		}
		who, err := cn.sids(ctx)
		if err != nil {
			return err
		}
		err = cn.everybodysGroups(ctx, who)
		shown = err == nil && adacl.Grants(lists[0], who, adacl.ReadProperty|adacl.GenericAll, adacl.ResultantPSO)
		return err
	})
	return err == nil && shown
}

// everybodysGroups adds the groups that every login is in because Authenticated
// Users or Everyone are, which tokenGroups does not show: by default that is
// Pre-Windows 2000 Compatible Access, by which accounts are read.
func (c *conn) everybodysGroups(ctx context.Context, who map[string]bool) error {
	domain := domainDN(c.server.client.conf.Base)
	const principals = ",CN=ForeignSecurityPrincipals,"
	groups, err := c.readMany(ctx, domain, ldap.ScopeWholeSubtree, "(&(objectClass=group)(|(member=CN=S-1-5-11"+principals+ldap.EscapeFilter(domain)+")(member=CN=S-1-1-0"+principals+ldap.EscapeFilter(domain)+")))", "objectSid")
	for _, g := range groups {
		who[string(g.GetRawAttributeValue("objectSid"))] = true
	}
	return err
}

// failuresAD are those that the next wrong login adds to: once the observation
// window is over since the last one it counts as the first ([MS-SAMR]
// 3.1.1.7.1, and Samba's dsdb_effective_badPwdCount), although badPwdCount
// stays.
func failuresAD(e Entry, window time.Duration, now time.Time) string {
	last, err := strconv.ParseInt(e.First("badPasswordTime"), 10, 64)
	if err == nil && window > 0 && last > 0 && now.After(fileTime(last).Add(window+clockMargin)) {
		return "0"
	}
	return e.First("badPwdCount")
}

// span is a time span of Active Directory: negative, in 100 ns. 0 where it is
// none, and where it has no end.
func span(text string) time.Duration {
	if d, err := strconv.ParseInt(text, 10, 64); err == nil && d < 0 && d > math.MinInt64/100 {
		return time.Duration(-d) * 100
	}
	return 0
}

// fineGrained is the strictest of the fine-grained policies of the domain. Who
// is shown their container is shown them ([MS-ADTS] 6.1.1.4.11.2: its access
// list is for domain administrators alone).
func (c *Client) fineGrained(ctx context.Context, server string) (lockout, error) {
	const threshold, window = "msDS-LockoutThreshold", "msDS-LockoutObservationWindow"
	at := "CN=Password Settings Container,CN=System," + domainDN(c.conf.Base)
	l := lockout{hidden: true}
	err := c.Search(ctx, server, at, "(objectClass=*)", []string{"whenCreated", threshold, window}, func(e Entry) error {
		if SameDN(e.DN, at) {
			l.hidden = e.First("whenCreated") == ""
			return nil
		}
		most, _ := strconv.Atoi(e.First(threshold))
		if most > 0 && (l.most == 0 || most < l.most) {
			l.which = e.DN
		}
		l.stricter(most)
		if l.window = max(l.window, span(e.First(window))); span(e.First(window)) == 0 {
			l.window = math.MaxInt64 / 2 // one without end may hold
		}
		return nil
	})
	if err != nil && !IsUnreachable(err) && ctx.Err() == nil {
		err = nil // it is not shown
	}
	return l, err
}

func (activeDirectory) showLocks() string {
	return "read on CN=Password Settings Container,CN=System and what is below it, and on msDS-ResultantPSO of the accounts"
}

// domainPolicy is the fine-grained policy with that name, or the domain's.
func (c *Client) domainPolicy(ctx context.Context, server, fine string) (lockout, error) {
	return c.policy(server, fine, func() (lockout, error) {
		dn, most, history, lasts, window := fine, "msDS-LockoutThreshold", "msDS-PasswordHistoryLength", "msDS-LockoutDuration", "msDS-LockoutObservationWindow"
		if fine == "" {
			dn, most, history, lasts, window = domainDN(c.conf.Base), "lockoutThreshold", "pwdHistoryLength", "lockoutDuration", "lockOutObservationWindow"
		}
		e, found, err := c.one(ctx, server, "", dn, ldap.ScopeBaseObject, "(objectClass=*)", []string{most, history, lasts, window})
		var l lockout
		if err == nil && found {
			l.most, _ = strconv.Atoi(e.First(most))
			l.duration, l.window = span(e.First(lasts)), span(e.First(window)) // a lock of 0 has no end
			l.history, err = strconv.Atoi(e.First(history))
			l.known, err = err == nil, nil
		}
		if err != nil && (IsUnreachable(err) || ctx.Err() != nil) {
			return lockout{}, err
		}
		return l, nil
	})
}
