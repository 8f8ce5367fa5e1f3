package inventory

import (
	"context"
	"encoding/base64"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"rollcall/config"
	"rollcall/internal/credential"
	"rollcall/internal/directory"
	"rollcall/internal/lab"
)

// Of "svc:x" the part behind the name is the secret where the name is the
// account's own, by whatever of its names.
func TestTheListingSaysByWhichOfItsNamesASecretBegins(t *testing.T) {
	servers(t)
	s, admin := oddSlapd(t, lab.Account{UID: "svc-one", Password: "hunter2-one"}, lab.Account{UID: "svc-two", Password: "hunter2-two"})
	dn := "uid=svc-one,ou=people," + s.BaseDN()
	addValue(t, admin, dn, "uid", "svc-alias")
	holds := map[string]string{
		"plain": "svc-one:hunter2-one", "alias": "SVC-Alias:hunter2-one", "dn": dn + ";hunter2-one", "domain": `CORP\svc-one hunter2-one`, "at": "svc-one@corp.example/hunter2-one",
		"base64": base64.StdEncoding.EncodeToString([]byte("svc-one:hunter2-one")), "others": "svc-two:hunter2-one", "bare": "hunter2-one", "middle": "x:svc-one:hunter2-one",
	}
	c := campaign()
	rows := []string{"account,path"}
	for name, text := range holds {
		write(t, "kv/data/before/"+name, map[string]any{"data": map[string]any{"password": text}})
		rows = append(rows, "svc-one,kv/before/"+name+"#password")
	}
	c.Sources = []config.Source{manifestSource(rows...)}
	d := slapdDirectory(s)
	c.Directories["corp"] = d
	client, err := directory.Open("corp", d, func(context.Context) (credential.Secret, error) {
		return credential.NewSecret(s.BinderPassword), nil
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	roll, _, err := listIn(t.Context(), c, map[string]Directory{"corp": client}, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	one := byName(roll)[dn]
	require.Empty(t, one.Problem)
	require.ElementsMatch(t, []string{dn, "svc-one@corp.example", `CORP\svc-one`, "SVC-Alias", "svc-one"}, one.Users)
	require.IsNonIncreasing(t, lengths(one.Users), "a name before what begins it")
}

func lengths(texts []string) (out []int) {
	for _, text := range texts {
		out = append(out, len(text))
	}
	return out
}

// An AppRole's consumers keep its role-id with the secret-id, often in one
// field.
func TestARoleIDBeforeASecretIDIsAName(t *testing.T) {
	servers(t)
	write(t, "auth/approle/role/both-in-one", map[string]any{})
	id, err := realVault.Client().Logical().ReadWithContext(t.Context(), "auth/approle/role/both-in-one/role-id")
	require.NoError(t, err)
	roleID := id.Data["role_id"].(string)
	secret := write(t, "auth/approle/role/both-in-one/secret-id", nil)["secret_id"].(string)
	rows := []string{"kind,account,path"}
	for name, text := range map[string]string{"id": roleID + ":" + secret, "name": "both-in-one:" + secret, "other": secret + ":" + secret} {
		write(t, "kv/data/both/"+name, map[string]any{"data": map[string]any{"secret_id": text}})
		rows = append(rows, "approle-secret-id,approle/both-in-one,kv/both/"+name+"#secret_id")
	}
	c := campaign()
	c.Directories = nil
	c.Sources = []config.Source{manifestSource(rows...)}
	roll, _, err := listIn(t.Context(), c, nil, openVault(t, realVault.RootToken().Reveal()), "c", time.Now())
	require.NoError(t, err)
	require.ElementsMatch(t, []string{roleID, "both-in-one"}, byName(roll)["approle/both-in-one"].Users)
}
