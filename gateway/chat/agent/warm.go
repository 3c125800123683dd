package agent

import (
	"context"

	"aigw/gateway/conversation"
	"aigw/gateway/serving"
	"aigw/models"
)

// usuallyUnavailable is what GitLab 17.5 to 17.8 say that the agent cannot read.
var usuallyUnavailable = []string{"Pipelines", "Vulnerabilities"}

// Warm has a model compute the rules and tools of a turn before somebody asks: as somebody is given them whose token has all
// rights, from GitLab 17.5 on without feature flags. The rest of a first prompt is short.
func (room *Room) Warm(ctx context.Context, model *serving.Model) error {
	if !model.Can(serving.Chat) {
		return nil
	}
	var offered []tool
	for _, t := range tools {
		if t.flag == "" {
			offered = append(offered, t)
		}
	}
	rules := models.Message{Role: models.System, Content: systemMessage(offered, usuallyUnavailable)}
	return conversation.Warm(ctx, model, []models.Message{rules, {Role: models.User, Content: "Hello"}}, []models.Message{rules, {Role: models.User}})
}
