package bundle

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// Part is something in a bundle that no build information names, such as llama.cpp.
type Part struct{ Name, Version, Licence string }

// PartsList is the list of what a bundle is made of, in CycloneDX 1.6: the Go modules that the
// program says it was built from, the parts given, and every member with its checksum.
func PartsList(program string, version string, created time.Time, parts []Part, members []Member) ([]byte, error) {
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return nil, fmt.Errorf("%s does not say what it was built from: %w", program, err)
	}
	list := []cdx.Component{{
		Type: cdx.ComponentTypeFramework, Name: "go", Version: strings.TrimPrefix(info.GoVersion, "go"),
		Licenses: licence("BSD-3-Clause"),
	}}
	for _, d := range info.Deps {
		if d.Replace != nil {
			d = d.Replace
		}
		list = append(list, cdx.Component{
			Type: cdx.ComponentTypeLibrary, Name: d.Path, Version: d.Version,
			PackageURL: "pkg:golang/" + d.Path + "@" + d.Version,
		})
	}
	for _, p := range parts {
		list = append(list, cdx.Component{Type: cdx.ComponentTypeLibrary, Name: p.Name, Version: p.Version, Licenses: licence(p.Licence)})
	}
	for _, m := range members {
		kind := cdx.ComponentTypeFile
		switch m.Kind {
		case Model:
			kind = cdx.ComponentTypeMachineLearningModel
		case Image:
			kind = cdx.ComponentTypeContainer
		}
		list = append(list, cdx.Component{Type: kind, Name: m.Path, Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: m.SHA256}}})
	}
	for i := range list {
		list[i].BOMRef = fmt.Sprintf("%d-%s", i, list[i].Name)
	}
	bom := cdx.NewBOM()
	// A function of what is in it, so that the same bundle twice has the same bytes.
	bom.SerialNumber = serial(members)
	bom.Metadata = &cdx.Metadata{
		Timestamp: created.UTC().Format(time.RFC3339),
		Component: &cdx.Component{Type: cdx.ComponentTypeApplication, BOMRef: "aigw", Name: "aigw", Version: version},
	}
	bom.Components = &list
	var out bytes.Buffer
	err = cdx.NewBOMEncoder(&out, cdx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
	return out.Bytes(), err
}

func licence(id string) *cdx.Licenses {
	if id == "" {
		return nil
	}
	return &cdx.Licenses{{License: &cdx.License{ID: id}}}
}

// serial is a UUID of version 8 (RFC 9562): made by rules of our own, here of the checksums.
func serial(members []Member) string {
	h := sha256.Sum256(Checksums(members))
	h[6], h[8] = h[6]&0x0f|0x80, h[8]&0x3f|0x80
	x := hex.EncodeToString(h[:16])
	return "urn:uuid:" + strings.Join([]string{x[:8], x[8:12], x[12:16], x[16:20], x[20:]}, "-")
}

// Checksums is a file for `sha256sum -c`.
func Checksums(members []Member) []byte {
	var s bytes.Buffer
	for _, m := range members {
		fmt.Fprintf(&s, "%s  %s\n", m.SHA256, m.Path)
	}
	return s.Bytes()
}
