package vaultlogin

import (
	"time"

	"rollcall/internal/vault/minted"
)

const (
	// standsFor is how long a login is taken to get the policies that it got
	// when it last logged in. What those policies let it do is asked of each
	// batch, and so are the tokens that it has by then.
	standsFor = 15 * time.Minute
	// manyLogins is from how many on: fewer are each logged in for each batch.
	manyLogins = 50
	// maxStandings bounds what a process keeps of ended campaigns.
	maxStandings = 50_000
)

// standing is what a login got, and when.
type standing struct {
	minted.Standing
	at time.Time
}

// stands is what a login got lately, where there are many.
func (au *Authority) stands(key [3]string) (minted.Standing, bool) {
	au.mu.Lock()
	defer au.mu.Unlock()
	s, ok := au.standings[key]
	if len(au.standings) < au.many || !ok || time.Since(s.at) >= standsFor {
		return minted.Standing{}, false
	}
	return s.Standing, true
}

func (au *Authority) stood(key [3]string, s minted.Standing) {
	au.mu.Lock()
	defer au.mu.Unlock()
	if au.standings == nil || len(au.standings) >= maxStandings {
		au.standings = map[[3]string]standing{}
	}
	au.standings[key] = standing{s, time.Now()}
}
