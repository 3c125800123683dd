package models

import "strings"

// GitLabName is a name under which GitLab asks for a model: `model_name` of code requests, `name`
// of model_metadata. GitLab 17.4 told the sizes and roles of a family apart; from 17.5 on only
// canonical names are sent (wire contract, 4.3 and 4.4).
type GitLabName struct {
	Name string
	// Canonical is the name that GitLab 17.5 and later use for the same model.
	Canonical string
	// Family is empty for models that exist only as somebody's service. A request for them is
	// answered by the model that is there, in the form that it knows.
	Family Family
	// Role is what the name means in particular; empty if it stands for both.
	Role Role
}

var gitLabNames = []GitLabName{
	{Name: "claude_3"},
	{Name: "claude_3.5", Canonical: "claude_3"},
	{Name: "codegemma", Family: CodeGemma},
	{Name: "codegemma_2b", Canonical: "codegemma", Family: CodeGemma, Role: Base},
	{Name: "codegemma_7b", Canonical: "codegemma", Family: CodeGemma, Role: Base},
	{Name: "codellama", Family: CodeLlama},
	{Name: "codellama:code", Canonical: "codellama", Family: CodeLlama, Role: Base},
	{Name: "codellama_13b_code", Canonical: "codellama", Family: CodeLlama, Role: Base},
	{Name: "codestral", Family: Codestral},
	{Name: "codestral@2405", Canonical: "codestral", Family: Codestral},
	{Name: "deepseekcoder", Family: DeepSeekCoder},
	{Name: "gpt"},
	{Name: "llama3", Family: Llama3, Role: Instruct},
	{Name: "mistral", Family: Mistral},
	{Name: "mistral_text", Canonical: "mistral", Family: Mistral, Role: Base},
	{Name: "mixtral", Family: Mixtral},
	{Name: "mixtral_8x22b", Canonical: "mixtral", Family: Mixtral, Role: Instruct},
	{Name: "mixtral_8x22b_text", Canonical: "mixtral", Family: Mixtral, Role: Base},
	{Name: "mixtral_text", Canonical: "mixtral", Family: Mixtral, Role: Base},
	{Name: "qwen2p5-coder-7b", Family: QwenCoder},
}

// GitLabNames returns all names that GitLab 17.2 to 17.8 knows, by name.
func GitLabNames() []GitLabName {
	all := append([]GitLabName(nil), gitLabNames...)
	for i := range all {
		if all[i].Canonical == "" {
			all[i].Canonical = all[i].Name
		}
	}
	return all
}

// FindGitLabName returns what a name of GitLab's means. Ollama's and LiteLLM's way to write a
// model, provider/model, is not one of GitLab's names.
func FindGitLabName(name string) (GitLabName, bool) {
	for _, n := range GitLabNames() {
		if strings.EqualFold(n.Name, name) {
			return n, true
		}
	}
	return GitLabName{}, false
}

// NamesInGitLab returns the names under which GitLab can ask for a file of this kind, that of
// GitLab 17.5 and later first. A family that GitLab has no name for has none.
func (r *Recognition) NamesInGitLab() []string {
	var canonical, others []string
	for _, n := range GitLabNames() {
		switch {
		case n.Family == "" || n.Family != r.Family || n.Role != "" && n.Role != r.Role:
		case n.Name == n.Canonical:
			canonical = append(canonical, n.Name)
		default:
			others = append(others, n.Name)
		}
	}
	return append(canonical, others...)
}
