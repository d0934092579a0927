// AI accounts that are there, in a resource group of their own: they are given roles and nothing else.
using '../main.bicep'

param environmentName = 'captions'
param location = 'westeurope'
param operatorId = '00000000-0000-0000-0000-00000000000a'
param existingVisionAccountId = '/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/rg-ai/providers/Microsoft.CognitiveServices/accounts/our-vision'
param existingModelAccountId = '/subscriptions/00000000-0000-0000-0000-000000000002/resourceGroups/rg-ai/providers/Microsoft.CognitiveServices/accounts/our-models'
param modelName = 'gpt-4o-mini'
param modelDeployment = 'gpt-4o-mini-2024-07-18'
param dailyBudgetUsd = '5'
param settings = {
  CAPTION_DETAIL: 'high'
}
