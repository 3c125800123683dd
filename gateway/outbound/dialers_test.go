package outbound_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// dialers are what may begin a connection, and who may use it, with the reason.
var dialers = map[string][]string{
	"gateway/outbound/client.go":    {"the one way to other machines"},
	"cmd/aigw/doctor_model.go":      {"aigw doctor asks the gateway of --url, or its own"},
	"cmd/aigw/remote.go":            {"aigw complete, chat and ask ask the gateway of --url"},
	"cmd/aigw/health.go":            {"asks the gateway on this machine"},
	"internal/tunnel/client.go":     {"to the workers of --rpc, with pinned keys"},
	"cmd/aigw/authoptions.go":       {"looks up the name of --listen"},
	"gateway/gatewaytest/server.go": {"for tests"},
}

// Nothing of this program but gateway/outbound connects to other machines: what could is not even
// mentioned elsewhere.
func TestNobodyElseDials(t *testing.T) {
	forbidden := map[string][]string{
		"net":        {"Dial", "DialTimeout", "DialTCP", "DialUDP", "DialIP", "DialUnix", "Dialer", "Resolver", "DefaultResolver", "LookupHost", "LookupIP", "LookupAddr", "LookupCNAME"},
		"net/http":   {"Get", "Post", "Head", "PostForm", "Client", "DefaultClient", "Transport", "DefaultTransport"},
		"crypto/tls": {"Dial", "DialWithDialer", "Dialer"},
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	unused := map[string]bool{}
	for name := range dialers {
		unused[name] = true
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(root, path)
		if d.IsDir() && (strings.HasPrefix(d.Name(), ".") && name != "." || name == "bench" || name == "third_party") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		packages := map[string]string{} // name in the file -> import path
		for _, i := range file.Imports {
			imported := strings.Trim(i.Path.Value, `"`)
			local := filepath.Base(imported)
			if i.Name != nil {
				local = i.Name.Name
			}
			packages[local] = imported
		}
		ast.Inspect(file, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, ok := s.X.(*ast.Ident); ok && slices.Contains(forbidden[packages[x.Name]], s.Sel.Name) {
				delete(unused, name)
				if dialers[name] == nil {
					t.Errorf("%s: %s.%s may connect to other machines; only gateway/outbound does", set.Position(n.Pos()), x.Name, s.Sel.Name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name := range unused {
		t.Errorf("%s is excused and dials nothing", name)
	}
}
