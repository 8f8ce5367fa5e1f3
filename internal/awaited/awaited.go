// Package awaited knows which servers have been asked and have not answered
// yet, so that whoever looks at a campaign that stands still is told whom it
// waits for. Names of servers and times are all that it keeps.
package awaited

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"time"
)

// Server is one that was asked and has not answered.
type Server struct {
	Name  string    `json:"server"`
	Since time.Time `json:"since"` // of the oldest question
}

// Answers are those that are waited for by what runs with one context.
type Answers struct {
	mu   sync.Mutex
	open map[*Server]struct{}
}

type key struct{}

// Kept has what is asked with the returned context kept: where it is already,
// in the same place.
func Kept(ctx context.Context) (context.Context, *Answers) {
	if a, kept := ctx.Value(key{}).(*Answers); kept {
		return ctx, a
	}
	a := &Answers{open: map[*Server]struct{}{}}
	return context.WithValue(ctx, key{}, a), a
}

// From says that server is asked now; the caller calls answered when the answer
// is there, or is waited for no more. Where nobody keeps that it costs nothing.
func From(ctx context.Context, server string) (answered func()) {
	a, kept := ctx.Value(key{}).(*Answers)
	if !kept {
		return func() {}
	}
	asked := &Server{Name: server, Since: time.Now()}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open[asked] = struct{}{}
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		delete(a.open, asked)
	}
}

// most are told: a campaign waits for few servers, or for its own network.
const most = 5

// Since are the servers that were asked at t or before and have not answered,
// each once, the longest silent first.
func (a *Answers) Since(t time.Time) []Server {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []Server
	for s := range a.open {
		if !s.Since.After(t) {
			all = append(all, *s)
		}
	}
	return Merge(all)
}

// Merge has each server once, with its oldest question, the longest silent
// first.
func Merge(all []Server) []Server {
	slices.SortFunc(all, func(a, b Server) int { return cmp.Or(strings.Compare(a.Name, b.Name), a.Since.Compare(b.Since)) })
	all = slices.CompactFunc(all, func(a, b Server) bool { return a.Name == b.Name })
	slices.SortStableFunc(all, func(a, b Server) int { return a.Since.Compare(b.Since) })
	return all[:min(most, len(all))]
}
