package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
	"github.com/stretchr/testify/require"
)

func TestMicro(t *testing.T) {
	ctx := context.Background()
	require.NoError(t, os.Chdir("../.."))
	const n = 400
	g, err := startGround(ctx, t.TempDir(), map[string]int{groupBefore: n, groupCampaign: 5})
	require.NoError(t, err)
	defer g.stop()
	program, err := build(ctx, g.dir)
	require.NoError(t, err)
	_, err = newCampaign(ctx, g, program)
	require.NoError(t, err)
	open := bareRotator(g, g.slapd.LDAPS(), g.vault.Address(), 1)
	r, err := open()
	require.NoError(t, err)
	b := r.(*bare)
	vals := map[string]string{}
	for _, a := range g.accounts[groupBefore] {
		vals[a.uid] = rand.Text()
	}
	ops := []struct {
		name string
		do   func(a account) error
	}{
		{"look", func(a account) error { return b.look(a) }},
		{"GET live", func(a account) error { return b.call(ctx, "GET", "kv/data/"+a.path, nil) }},
		{"GET absent", func(a account) error { _ = b.call(ctx, "GET", "rollcall/data/staging/bench/"+a.uuid, nil); return nil }},
		{"PUT staging", func(a account) error {
			return b.write(ctx, "rollcall/data/staging/bench/"+a.uuid, 0, map[string]any{"secret": vals[a.uid], "campaign": "bench", "attempt": 1, "base": map[string]int{"x": 1}, "old": map[string]string{"x": a.password}})
		}},
		{"GET staging", func(a account) error { return b.call(ctx, "GET", "rollcall/data/staging/bench/"+a.uuid, nil) }},
		{"login old", func(a account) error { return b.login(a, a.password) }},
		{"bind old only", func(a account) error { return b.probe.Bind(a.dn, a.password) }},
		{"exop", func(a account) error {
			_, err := b.admin.PasswordModify(ldap.NewPasswordModifyRequest(a.dn, "", vals[a.uid]))
			return err
		}},
		{"login new", func(a account) error { return b.login(a, vals[a.uid]) }},
		{"PUT live", func(a account) error {
			return b.write(ctx, "kv/data/"+a.path, 1, map[string]any{"username": a.uid, "password": vals[a.uid]})
		}},
		{"refused", func(a account) error { return b.refused(a, a.password) }},
		{"login new after", func(a account) error { return b.login(a, vals[a.uid]) }},
		{"PUT destroy", func(a account) error { return b.call(ctx, "PUT", "kv/destroy/"+a.path, map[string]any{"versions": []int{1}}) }},
		{"DELETE meta", func(a account) error { return b.call(ctx, "DELETE", "rollcall/metadata/staging/bench/"+a.uuid, nil) }},
	}
	for _, op := range ops {
		before, _ := g.usage()
		at := time.Now()
		for _, a := range g.accounts[groupBefore] {
			require.NoError(t, op.do(a), op.name)
		}
		took := time.Since(at)
		after, _ := g.usage()
		c := after.since(before).per(n)
		fmt.Printf("%-16s wall %.2f ms   cpu slapd %.2f vault %.2f us %.2f\n", op.name, took.Seconds()*1000/n, c.Slapd, c.Vault, c.Client)
	}
}
