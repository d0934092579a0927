// The function app, its settings and its concurrency.

@description('Region.')
param location string

@description('Tags of every resource.')
param tags object

@description('Name of the function app.')
param appName string

@description('Name of its plan.')
param planName string

@description('The app\'s identity.')
param identityName string

@description('Account with images, tables and queues.')
param imagesAccountName string

@description('Account of the Functions host.')
param hostAccountName string

@description('Container of the host\'s account that the code is deployed to.')
param packageContainer string

@description('Application Insights resource.')
param insightsName string

@description('Resource id of the Vision account.')
param visionAccountId string

@description('Resource id of the account with the caption model.')
param modelAccountId string

@description('Container whose images are captioned.')
param imagesContainer string

@description('Table of the records.')
param captionsTable string

@description('Model that writes captions.')
param modelName string

@description('Name of the model\'s deployment.')
param modelDeployment string

@description('Tokens that the model takes in a minute.')
param modelTokensPerMinute int

@description('Vision features, comma-separated.')
param visionFeatures string

@description('Calls that Vision takes in a second.')
param visionCallsPerSecond int

@description('What the model sees.')
param captionInput string

@description('Languages of captions, comma-separated.')
param captionLanguages string

@description('Dollars that may be spent in a day. Empty: no limit.')
param dailyBudgetUsd string

@description('Dollars that may be spent in a month. Empty: no limit.')
param monthlyBudgetUsd string

@description('Further app settings by name; they win.')
param settings object

@description('Memory of an instance in MB.')
param instanceMemoryMB int

// ---- Concurrency: the only place with this arithmetic -------------------------------------------
//
// All numbers are whole, as Bicep has no others; divisions round down, to the safe side. Exceeding a
// quota loses no image: throttled images wait and are retried. But that costs instances and time, so
// the app makes about as many calls as the quotas allow.

// Tokens and time of an image. Reasoning models spend output tokens, and time, before the first word
// of the answer. Only these lines depend on the model's name; unknown models are assumed to reason.
var answersAtOnce = startsWith(modelName, 'gpt-4')
var captionMaxTokens = answersAtOnce ? 1000 : 4000
var secondsPerImage = answersAtOnce ? 4 : 10

// A quota counts each request with its own tokens plus the maximum of its answer. Picture, evidence
// and instructions are about 3,700 tokens.
var tokensPerImage = 3700 + captionMaxTokens

// Calls of Vision for an image: features that only API 3.2 has take a second call.
var features = split(replace(visionFeatures, ' ', ''), ',')
var callsPerImage = empty(intersection(features, ['brands', 'description', 'adult'])) ? 1 : 2

// Images that both quotas allow.
var imagesPerMinute = min(visionCallsPerSecond * 60 / callsPerImage, modelTokensPerMinute / tokensPerImage)

// The images in progress are the rate of arrival times the duration of one (Little's law). Two
// functions call the services, caption_image and caption_deferred, on separate instances. Each has
// places for all of them: while no image is deferred one function has all the work.
var wanted = max((imagesPerMinute * secondsPerImage + 59) / 60, 1)

// The host fetches in batches, so that places stand empty. As was recorded (docs/internals.md), 24
// places for blobs keep 16 at work on the average, and 12 for messages, fetched by twos, keep 10.
// An instance of one core and 2 GB is sized for that.
var blobPlaces = 24
var blobsAtWork = 16
var messagePlaces = 12
var messagesAtWork = 10

// The limit of instances applies to each function, not to their sum: 100 for each of the two stay
// within the 250 cores that a subscription has in a region.
var mostInstances = 100
var maximumInstanceCount = min((wanted + blobsAtWork - 1) / blobsAtWork, mostInstances)
var atWork = min((wanted + maximumInstanceCount - 1) / maximumInstanceCount, blobsAtWork)
var atATime = (atWork * blobPlaces + blobsAtWork - 1) / blobsAtWork

// The host fetches batchSize messages whenever newBatchThreshold or fewer are in progress: the
// smaller the batch, the fewer places are empty, and the more requests the queue gets.
var messages = min((atWork * messagePlaces + messagesAtWork - 1) / messagesAtWork, messagePlaces)
var batchSize = max(messages / 6, 1)
var newBatchThreshold = messages - batchSize

// One thread for each blob event, each message of five queue functions, and each HTTP request.
var httpAtATime = 16
var threads = atATime + 5 * messages + httpAtATime

// ---- Settings -----------------------------------------------------------------------------------

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = { name: identityName }
resource insights 'Microsoft.Insights/components@2020-02-02' existing = { name: insightsName }
resource vision 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  scope: resourceGroup(split(visionAccountId, '/')[2], split(visionAccountId, '/')[4])
  name: last(split(visionAccountId, '/'))
}
resource models 'Microsoft.CognitiveServices/accounts@2025-06-01' existing = {
  scope: resourceGroup(split(modelAccountId, '/')[2], split(modelAccountId, '/')[4])
  name: last(split(modelAccountId, '/'))
}

// docs/settings.md explains each of them. Settings for a laptop and all keys are left out.
var suffix = environment().suffixes.storage
var appSettings = {
  AzureWebJobsStorage__blobServiceUri: 'https://${hostAccountName}.blob.${suffix}'
  AzureWebJobsStorage__queueServiceUri: 'https://${hostAccountName}.queue.${suffix}'
  AzureWebJobsStorage__tableServiceUri: 'https://${hostAccountName}.table.${suffix}'
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identity.properties.clientId
  AzureWebJobsDisableHomepage: 'true'

  ImageStorage__blobServiceUri: 'https://${imagesAccountName}.blob.${suffix}'
  ImageStorage__queueServiceUri: 'https://${imagesAccountName}.queue.${suffix}'
  ImageStorage__tableServiceUri: 'https://${imagesAccountName}.table.${suffix}'
  ImageStorage__credential: 'managedidentity'
  ImageStorage__clientId: identity.properties.clientId
  IMAGES_CONTAINER: imagesContainer
  CAPTIONS_TABLE: captionsTable
  BLOB_TRIGGER_SOURCE: 'EventGrid'
  MAX_IMAGE_BYTES: '52428800'
  DECODE_MEMORY_MIB: ''
  DECODE_SECONDS: '20'

  VISION_PROVIDER: 'azure'
  VISION_ENDPOINT: 'https://${vision.properties.customSubDomainName}.cognitiveservices.azure.com'
  VISION_API: '4.0'
  VISION_FEATURES: visionFeatures
  VISION_MIN_CONFIDENCE: '0.6'

  CAPTION_PROVIDER: 'azure'
  AZURE_OPENAI_ENDPOINT: 'https://${models.properties.customSubDomainName}.openai.azure.com'
  CAPTION_MODEL: modelDeployment
  CAPTION_INPUT: captionInput
  CAPTION_LANGUAGES: captionLanguages
  CAPTION_DETAIL: 'low'
  CAPTION_MAX_TOKENS: string(captionMaxTokens)
  CAPTION_REASONING: 'lowest'
  SUPPORT_THRESHOLD: '0.7'

  VISION_TIMEOUT_SECONDS: '30'
  CAPTION_TIMEOUT_SECONDS: '60'
  CLAIM_SECONDS: '120'
  BURST_SECONDS: '60'
  FORGET_AFTER_HOURS: '24'
  BACKUP_DAYS: '30'
  RECAPTIONS_PER_HOUR: '100'
  IGNORE_FILES: '*.xmp,*.aae,*.thm,*.json,*.txt,*.md,*.csv,*.mp4,*.mov,*.m4v,*.avi,*.mkv,*.mpg,*.3gp,*.zip,*.rar,*.7z,*.tar,*.gz'
  DAILY_BUDGET_USD: dailyBudgetUsd
  MONTHLY_BUDGET_USD: monthlyBudgetUsd

  // These override the figures in host.json.
  AzureFunctionsJobHost__extensions__blobs__maxDegreeOfParallelism: string(atATime)
  AzureFunctionsJobHost__extensions__queues__batchSize: string(batchSize)
  AzureFunctionsJobHost__extensions__queues__newBatchThreshold: string(newBatchThreshold)
  PYTHON_THREADPOOL_THREAD_COUNT: string(threads)

  // No key: a resource without local authentication accepts only tokens.
  APPLICATIONINSIGHTS_CONNECTION_STRING: insights.properties.ConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identity.properties.clientId};Authorization=AAD'
  PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY: 'true'
  PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME: 'captioning'
  OTEL_PYTHON_DISABLED_INSTRUMENTATIONS: 'azure_sdk,httpx,httpx2,requests,urllib,urllib3'
}

// ---- Resources ----------------------------------------------------------------------------------

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: planName
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: { reserved: true }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: appName
  location: location
  tags: union(tags, { 'azd-service-name': 'app' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identity.id}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    publicNetworkAccess: 'Enabled' // Event Grid's webhook and the gallery
    keyVaultReferenceIdentity: identity.id // for secrets in the parameter `settings`
    siteConfig: {
      minTlsVersion: '1.2'
      scmMinTlsVersion: '1.2'
      http20Enabled: true
    }
    functionAppConfig: {
      runtime: {
        name: 'python'
        version: '3.12'
      }
      deployment: {
        storage: {
          type: 'blobContainer'
          value: 'https://${hostAccountName}.blob.${suffix}/${packageContainer}'
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identity.id
          }
        }
      }
      scaleAndConcurrency: {
        instanceMemoryMB: instanceMemoryMB
        maximumInstanceCount: maximumInstanceCount
        triggers: {
          http: { perInstanceConcurrency: httpAtATime }
        }
      }
    }
  }

  resource appSettingsConfig 'config' = {
    name: 'appsettings'
    properties: union(appSettings, settings)
  }

  // Publishing with a password is off: deployments use Microsoft Entra.
  resource ftpPassword 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scmPassword 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

@description('Address of the app.')
output url string = 'https://${app.properties.defaultHostName}'
