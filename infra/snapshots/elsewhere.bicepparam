// Services in regions that have them, a model that reasons, both versions of the Vision API.
using '../main.bicep'

param environmentName = 'captions'
param location = 'italynorth'
param visionLocation = 'westeurope'
param modelLocation = 'swedencentral'
param operatorId = '00000000-0000-0000-0000-00000000000a'
param modelName = 'gpt-5-mini'
param modelVersion = '2025-08-07'
param modelSku = 'DataZoneStandard'
param visionCallsPerSecond = 30
param modelTokensPerMinute = 2000000
param imagesContainer = 'photos'
param deleteLock = true
param visionFeatures = 'tags,objects,read,brands'
param captionLanguages = 'de,en'
param dailyBudgetUsd = '20'
param instanceMemoryMB = 4096
