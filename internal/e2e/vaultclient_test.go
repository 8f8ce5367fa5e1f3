package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	vaultapi "github.com/hashicorp/vault/api"
)

// vaultClient does what Vault's own client does of the commands that the README
// has, by Vault's API: Debian has no package of that client, and building it
// takes longer than all of this.
func vaultClient(args []string) error {
	kept := filepath.Join(os.Getenv("HOME"), ".vault-token")
	api, err := vaultapi.NewClient(nil)
	if err != nil {
		return err
	}
	if api.Token() == "" {
		token, err := os.ReadFile(kept)
		if err != nil && !os.IsNotExist(err) {
			return err
		}
		api.SetToken(string(token))
	}
	flags := map[string][]string{}
	var words []string
	for _, a := range args {
		if name, value, is := strings.Cut(strings.TrimPrefix(a, "-"), "="); is && strings.HasPrefix(a, "-") {
			flags[name] = append(flags[name], value)
		} else {
			words = append(words, a)
		}
	}
	switch strings.Join(words[:min(2, len(words))], " ") {
	case "login":
		token, err := bufio.NewReader(os.Stdin).ReadString('\n')
		if err != nil {
			return err
		}
		api.SetToken(strings.TrimSpace(token))
		if _, err := api.Auth().Token().LookupSelf(); err != nil {
			return err
		}
		return os.WriteFile(kept, []byte(api.Token()), 0o600)
	case "token create":
		made, err := api.Auth().Token().Create(&vaultapi.TokenCreateRequest{Policies: flags["policy"]})
		if err != nil {
			return err
		}
		fmt.Println("token", made.Auth.ClientToken)
		return nil
	case "kv put":
		data := map[string]any{}
		for _, pair := range words[3:] {
			name, value, _ := strings.Cut(pair, "=")
			if value == "-" {
				text, err := io.ReadAll(os.Stdin)
				if err != nil {
					return err
				}
				value = string(text)
			}
			data[name] = value
		}
		mount, path, _ := strings.Cut(words[2], "/")
		_, err := api.Logical().Write(mount+"/data/"+path, map[string]any{"data": data})
		return err
	case "kv metadata":
		about := map[string]any{}
		for _, pair := range flags["custom-metadata"] {
			name, value, _ := strings.Cut(pair, "=")
			about[name] = value
		}
		mount, path, _ := strings.Cut(words[3], "/")
		_, err := api.Logical().Write(mount+"/metadata/"+path, map[string]any{"custom_metadata": about})
		return err
	}
	return fmt.Errorf("this client knows nothing of %q", args)
}
